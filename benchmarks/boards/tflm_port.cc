// What TFLM asks of a port, without a C++ library: its messages go nowhere, as in a product; who gives up ends the program.
#include <stdarg.h>
#include <stddef.h>

extern "C" void _exit(int) {
  *(volatile int*)0x80000008 = 98;
  for (;;) {
  }
}
extern "C" void abort() {
  _exit(1);
  for (;;) {
  }
}
extern "C" void __assert_func(const char*, int, const char*, const char*) { _exit(1); }
extern "C" void __cxa_pure_virtual() { _exit(1); }
extern "C" void DebugLog(const char*, va_list) {}
extern "C" int DebugVsnprintf(char*, size_t, const char*, va_list) { return 0; }
void operator delete(void*) noexcept {}
void operator delete(void*, unsigned) noexcept {}
