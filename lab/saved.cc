// SPDX-License-Identifier: GPL-2.0-only
//
// A machine that was saved and goes on. Bochs' own way to save leaves out what no register
// tells (the translations that are kept), so that it would be another machine. Here all of
// the process is saved, as an executable whose segments are what it had mapped, its
// libraries included, where they were. So it is execve() that restores it: a page is read
// when it is used first, and what is written stays in the new process.
//
// What is not in memory: the process has no threads and no signals, asks the kernel for no
// time, and opens its files anew. lab_resume does the rest.
//
#include "bochs.h"
#include "cpu/cpu.h"
#include "iodev/iodev.h"
#include "saved.h"
#include <elf.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define PAGE 4096
#define MOST 128        // mappings: there are about forty

bool lab_saves;
static unsigned place;  // the last one it has come to
enum { BOOTED = 1, TAKEN, ENTRY };

// Where the executable starts: thread pointer first, it is what longjmp() looks at.
extern "C" {
  jmp_buf lab_point;
  unsigned long lab_fs;
  char **lab_start;     // argc, argv, NULL, environment
  void lab_resume(void);
}
asm("lab_resume:\n"
    "  mov %rsp, lab_start(%rip)\n"
    "  mov $158, %eax\n"        // arch_prctl
    "  mov $0x1002, %edi\n"     // ARCH_SET_FS
    "  mov lab_fs(%rip), %rsi\n"
    "  syscall\n"
    "  lea lab_point(%rip), %rdi\n"
    "  mov $1, %esi\n"
    "  call _longjmp@PLT\n");

struct mapping {
  const char *from;
  size_t size;
  unsigned flags;
  off_t file;           // where it begins in our own executable, or
};
enum { MEMORY = -1, OTHER = -2 };

// What the process has mapped; how many, or -1.
static int mappings(mapping *m)
{
  static char text[65536];
  char self[4096] = "", name[4096], rights[5];
  int fd = open("/proc/self/maps", O_RDONLY), n = 0;
  size_t size = 0;
  ssize_t got;

  while ((got = read(fd, text + size, sizeof(text) - 1 - size)) > 0)
    size += got;
  close(fd);
  text[size] = 0;
  if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0) return -1;
  for (char *line = text; *line; line = strchr(line, '\n') + 1) {
    unsigned long from, to, file, inode;

    name[0] = 0;
    sscanf(line, "%lx-%lx %4s %lx %*s %lu%*[ ]%4095[^\n]", &from, &to, rights, &file, &inode, name);
    if (! strncmp(name, "[v", 2) || ! strcmp(name, "[stack]")) continue;
    if (n == MOST) {
      errno = E2BIG;
      return -1;
    }
    m[n].from = (const char *) from;
    m[n].size = to - from;
    m[n].flags = (rights[0] == 'r' ? PF_R : 0) | (rights[1] == 'w' ? PF_W : 0) | (rights[2] == 'x' ? PF_X : 0);
    m[n].file = ! strcmp(name, self) ? file : inode ? OTHER : MEMORY;
    n++;
  }
  return n;
}

// Whether a page has zeros only. One that was not touched is not looked at: that would
// have the kernel make it.
static int self = -1, pages = -1;       // /proc/self/exe, /proc/self/pagemap

static bool is_zero(const mapping *m, size_t at)
{
  const char *page = m->from + at;
  Bit64u is = 0;

  // neither in memory nor swapped out
  if (pread(pages, &is, 8, (unsigned long) page / PAGE * 8) == 8 && ! (is >> 62)) {
    if (m->file == MEMORY) return true;
    if (m->file >= 0 && lseek(self, m->file + at, SEEK_DATA) != (off_t) (m->file + at)) return true;
  }
  return ! page[0] && ! memcmp(page, page + 1, PAGE - 1);
}

static bool write_pages(int fd, const mapping *m, off_t to)
{
  size_t begin = 0;

  for (size_t at = 0; at <= m->size; at += PAGE) {
    if (at < m->size && ! is_zero(m, at)) continue;
    while (begin < at) {
      ssize_t n = pwrite(fd, m->from + begin, at - begin, to + begin);
      if (n <= 0) return false;
      begin += n;
    }
    begin = at + PAGE;
  }
  return true;
}

static bool write_process(int fd)
{
  static struct {
    Elf64_Ehdr header;
    Elf64_Phdr segment[MOST + 1];
  } elf;
  static mapping m[MOST];
  int n = mappings(m);
  off_t at = (sizeof(elf) + PAGE - 1) & -PAGE;

  if (n <= 0) return false;
  for (int i = 0; i < n; i++) {
    Elf64_Phdr *p = &elf.segment[i];
    p->p_type = PT_LOAD;
    p->p_flags = m[i].flags;
    p->p_vaddr = p->p_paddr = (unsigned long) m[i].from;
    p->p_filesz = p->p_memsz = m[i].size;
    p->p_align = PAGE;
    p->p_offset = at;
    if (! write_pages(fd, &m[i], at)) return false;
    at += m[i].size;
  }
  elf.segment[n].p_type = PT_GNU_STACK;
  elf.segment[n].p_flags = PF_R | PF_W;
  memcpy(elf.header.e_ident, ELFMAG "\2\1\1", 7);       // 64 bits, little-endian, version 1
  elf.header.e_type = ET_EXEC;
  elf.header.e_machine = EM_X86_64;
  elf.header.e_version = EV_CURRENT;
  elf.header.e_entry = (unsigned long) lab_resume;
  elf.header.e_phoff = sizeof(elf.header);
  elf.header.e_ehsize = sizeof(elf.header);
  elf.header.e_phentsize = sizeof(*elf.segment);
  elf.header.e_phnum = n + 1;
  // the end, by which lab/run knows that none of it is missing
  return pwrite(fd, &elf, sizeof(elf), 0) == sizeof(elf) && pwrite(fd, "the end\n", 8, at) == 8;
}

// The file that this place is wanted in.
static const char *wanted(unsigned at)
{
  char name[] = "LAB_SAVE_0";

  name[sizeof(name) - 2] += at;
  return getenv(name);
}

static void save(const char *name)
{
  const char *run = getenv("LAB_RUN");
  char part[4096];
  bool done;
  int fd;

  signal(SIGXFSZ, SIG_IGN);     // a limit of the size of files is an error as others
  self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  pages = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  snprintf(part, sizeof(part), "%s/part", run ? run : "");
  fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
  done = fd >= 0 && write_process(fd);
  // closed in any case: as long as it is open its room on a full disk is not free
  if (fd >= 0 && close(fd)) done = false;
  if (! done || rename(part, name)) {
    fprintf(stderr, "\nlab: the machine could not be saved, and the next run boots again: %s\n", strerror(errno));
    unlink(part);
  }
  close(self);
  close(pages);
}

static void look_ahead(void)
{
  lab_saves = false;
  for (unsigned at = place + 1; at <= ENTRY; at++)
    if (wanted(at)) lab_saves = true;
}

// The machine is at the next place, and so is each process that goes on from there.
static void next_place(void)
{
  const char *name = wanted(++place);

  syscall(SYS_arch_prctl, 0x1003, &lab_fs);     // ARCH_GET_FS
  if (_setjmp(lab_point)) {
    environ = lab_start + 1 + (long) lab_start[0] + 1;
    brk(0);     // tells malloc() where it ends in this process
    look_ahead();
    lab_say_again();
    return;
  }
  if (name) save(name);
  look_ahead();
}

Bit32u lab_job(Bit32u address)
{
  const char *run = getenv("LAB_RUN");
  char name[4096];
  struct stat st;

  if (! run) return 0;
  if (place < TAKEN) {
    next_place();
    run = getenv("LAB_RUN");    // another process, perhaps
  }
  snprintf(name, sizeof(name), "%s/job-%u.cpio", run, place);
  if (stat(name, &st)) return 0;
  BX_MEM(0)->load_RAM(name, address);
  return st.st_size;
}

// A guest's own code is loaded from 1 MiB on. That of its firmware runs below, and at the end
// of its memory.
void lab_vm_entry(bx_address rip)
{
  if (place == TAKEN && rip >= 1 << 20 && rip < 64 << 20) next_place();
}

static int (*program)(void);

static void on_stack(void)
{
  exit(program());
}

int lab_main(int (*what)(void))
{
  static char stack[8 << 20];
  static ucontext_t there;

  program = what;
  look_ahead();
  getcontext(&there);
  there.uc_stack.ss_sp = stack;
  there.uc_stack.ss_size = sizeof(stack);
  makecontext(&there, on_stack, 0);
  return setcontext(&there);
}
