/* Stands in for ESP-IDF's header where its example is built without ESP-IDF: a console that has ended stays so. */
static inline void vTaskDelay(int ticks)
{
    (void)ticks;
    exit(0);
}
