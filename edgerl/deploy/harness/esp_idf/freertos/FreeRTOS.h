/* Stands in for ESP-IDF's header where its example is built without ESP-IDF. */
#include <stdlib.h>
