/* Stands in for ESP-IDF's header where its example is built without ESP-IDF: no counter. */
#include <stdint.h>

static inline uint32_t esp_cpu_get_cycle_count(void)
{
    return 0;
}
