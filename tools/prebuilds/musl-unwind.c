// What the libgcc_eh of a compiler for glibc asks of glibc, for programs with musl: see musl.mjs.

#define _GNU_SOURCE
#include <link.h>
#include <pthread.h>
#include <stddef.h>

// As glibc 2.35 lays it out (glibc manual, "Dynamic Linker Introspection").
struct dl_find_object {
  unsigned long long flags;
  void* map_start;
  void* map_end;
  struct link_map* link_map;
  void* eh_frame;
  unsigned long long reserved[7];
};

struct search {
  const char* address;
  struct dl_find_object* result;
};

// Stops, with 1, at the module that has the address.
static int look_into(struct dl_phdr_info* module, size_t size, void* data) {
  (void)size;
  const struct search* search = data;
  char *start = NULL, *end = NULL, *eh_frame = NULL;
  int is_inside = 0;
  for (int i = 0; i < module->dlpi_phnum; ++i) {
    const ElfW(Phdr)* header = &module->dlpi_phdr[i];
    char* segment = (char*)module->dlpi_addr + header->p_vaddr;
    char* segment_end = segment + header->p_memsz;
    if (header->p_type == PT_GNU_EH_FRAME) eh_frame = segment;
    if (header->p_type != PT_LOAD) continue;
    if (start == NULL || segment < start) start = segment;
    if (segment_end > end) end = segment_end;
    if (search->address >= segment && search->address < segment_end) is_inside = 1;
  }
  if (!is_inside || eh_frame == NULL) return 0;
  *search->result = (struct dl_find_object){.map_start = start, .map_end = end, .eh_frame = eh_frame};
  return 1;
}

// glibc 2.35: where the module at an address has its unwind tables.
__attribute__((visibility("hidden"))) int _dl_find_object(void* address, struct dl_find_object* result) {
  struct search search = {address, result};
  return dl_iterate_phdr(look_into, &search) == 1 ? 0 : -1;
}

// By this name, which musl keeps to itself, libgcc sees that there may be threads.
__attribute__((visibility("hidden"))) int __pthread_key_create(pthread_key_t* key, void (*destroy)(void*)) {
  return pthread_key_create(key, destroy);
}
