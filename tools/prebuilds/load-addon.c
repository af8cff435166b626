// load-addon <file>: opens an addon as Node does, but for Node-API, which it lacks. Status 0 if every symbol that the addon
// wants of the system's libraries is there, in its version, and its own initialisation ran.

#include <dlfcn.h>
#include <unistd.h>

int main(int argc, char** argv) {
  void* addon = argc == 2 ? dlopen(argv[1], RTLD_LAZY) : 0;
  _exit(addon != 0 && dlsym(addon, "napi_register_module_v1") != 0 ? 0 : 1);
}
