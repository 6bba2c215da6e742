// SPDX-License-Identifier: GPL-2.0-only
/*
 * The other half of instrument.h: a file of its own in the folder $LAB_COVERAGE
 * for each run of the emulator, one struct coverage_page after the other. A page
 * whose content changes becomes more than one of them.
 */
#include <limits.h>
#include <unistd.h>
#include <vector>
#include "cpu/cpu.h"

coverage_page *coverage_now;
Bit64u coverage_decoded;

static FILE *coverage_file;

// What is known of the physical pages, by their number.
struct coverage_frame {
  coverage_page *page;
  Bit64u looked_at; // coverage_decoded when its content was seen to be that of page
};
static std::vector<coverage_frame> coverage_frames;

static void coverage_check(bool good)
{
  if (good)
    return;
  perror("the coverage in the folder LAB_COVERAGE");
  _exit(1);
}

static void coverage_write(coverage_page *page)
{
  if (!coverage_file) {
    char name[PATH_MAX];
    snprintf(name, sizeof(name), "%s/XXXXXX", getenv("LAB_COVERAGE"));
    int fd = mkstemp(name);
    coverage_check(fd >= 0);
    coverage_file = fdopen(fd, "w");
  }
  coverage_check(fwrite(page, sizeof(*page), 1, coverage_file) == 1);
}

static void coverage_end(void)
{
  for (auto &frame : coverage_frames)
    if (frame.page)
      coverage_write(frame.page);
  coverage_check(!fclose(coverage_file));
}

static coverage_page *coverage_look(bx_phy_address address, const Bit8u *content)
{
  size_t number = address >> 12;

  if (coverage_frames.empty())
    atexit(coverage_end);
  if (number >= coverage_frames.size())
    coverage_frames.resize(number + 1);
  coverage_frame &frame = coverage_frames[number];
  if (frame.page && frame.looked_at == coverage_decoded)
    return frame.page;
  if (!frame.page || memcmp(frame.page->content, content, sizeof(frame.page->content))) {
    if (frame.page)
      coverage_write(frame.page);
    else
      frame.page = new coverage_page;
    *frame.page = coverage_page();
    memcpy(frame.page->content, content, sizeof(frame.page->content));
  }
  frame.looked_at = coverage_decoded;
  return frame.page;
}

void coverage_reached(bx_phy_address address, const Bit8u *content, bx_address offset)
{
  static bx_phy_address last;
  static Bit64u decoded;
  static coverage_page nowhere;

  if (offset >= sizeof(nowhere.content)) {
    coverage_now = &nowhere;
    last = ~(bx_phy_address)0;
    return;
  }
  if (address != last || decoded != coverage_decoded) {
    coverage_now = coverage_look(address, content);
    last = address;
    decoded = coverage_decoded;
  }
  coverage_set(coverage_now->reached, offset);
}
