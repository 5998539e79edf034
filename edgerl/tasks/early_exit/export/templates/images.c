/* Runs a generated cascade on many images: pixels in on standard input; for each, its exit and class out. */
#include "exported_cascade.h"
#include "io.h"

int main(void)
{
    static uint8_t image[EXPORTED_IMAGE_BYTES];
    while (fill(image, sizeof image) == sizeof image) {
        int exit;
        int32_t found[2];
        found[1] = exported_classify(image, &exit);
        found[0] = exit;
        if (!drain(found, sizeof found)) {
            return 255;
        }
    }
    return exported_cascade_self_test() != 0;
}
