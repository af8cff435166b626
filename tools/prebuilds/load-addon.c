// load-addon <file>: opens an addon as Node does, but for Node-API, which it lacks unless HAS_NODE_API is defined. Status 0
// if every symbol that the addon wants of the system's libraries is there, in its version, and its own initialisation ran.

#include <dlfcn.h>
#include <stdio.h>
#include <unistd.h>

#if defined(HAS_NODE_API)
#define MODE RTLD_NOW
#else
#define MODE RTLD_LAZY
#endif

int main(int argc, char** argv) {
  void* addon = argc == 2 ? dlopen(argv[1], MODE) : 0;
  const int is_there = addon != 0 && dlsym(addon, "napi_register_module_v1") != 0;
  if (!is_there) fprintf(stderr, "%s\n", argc == 2 ? dlerror() : "expected a file");
  _exit(is_there ? 0 : 1);
}
