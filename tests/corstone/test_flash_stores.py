"""Stores to flash memory: carried out here with the loops around them, as the CPU does to other memory."""

import re

import pytest
from guest import build_guest
from simulator import run_guest

pytestmark = pytest.mark.system

# Each takes a target, a source and a number of bytes, a multiple of 16; registers and flags are compared, too.
LOOPS = {
    "words": "0: str r1,[r0]\n adds r0,#8\n str r1,[r0,#-4]\n subs r2,#8\n bne 0b",
    "bytes": "add r3,r0,r2\n 0: strb r2,[r0],#1\n cmp r3,r0\n bhi 0b",
    "halfwords": "movs r3,#0\n 0: strh r3,[r0,r3]\n adds r3,#2\n cmp r3,r2\n blo 0b",
    "copied words": "0: ldr r3,[r1],#4\n str r3,[r0],#4\n subs r2,r2,#4\n bgt 0b",
    "copied bytes": "subs r2,#1\n 0: ldrb r3,[r1,r2]\n strb r3,[r0,r2]\n subs r2,#1\n bpl 0b",
    "copied blocks": "0: ldmia r1!,{r3-r6}\n stmia r0!,{r3-r6}\n subs r2,#16\n cmp r2,#0\n beq 1f\n b 0b\n 1:",
    "extended": "0: ldr r3,[r1],#1\n uxtb r3,r3\n strb r3,[r0],#1\n uxth r3,r2\n subs r2,#1\n bne 0b",
    "pairs": "0: ldrd r3,r4,[r1],#8\n strd r4,r3,[r0],#8\n subs r2,#8\n mov r5,r2\n cbz r5,1f\n b 0b\n 1:",
    "signed": "0: ldrsb r3,[r1],#1\n str r3,[r0],#4\n subs r2,#4\n bne 0b\n movw r4,#0x1234\n cmp r4,r2",
    "overflow": "mvn r3,#1<<31\n 0: str r2,[r0],#4\n adds r4,r3,r2\n subs r2,#4\n bne 0b\n adds r3,#1",
    "counted": "lsrs r3,r2,#2\n dls lr,r3\n 0: str r1,[r0],#4\n le lr,0b\n mov r4,lr",
    "logic": "0: orr r3,r1,r2\n bic r3,#4\n eor r3,r2\n strh r3,[r0],#2\n ands r4,r2\n subs r2,#2\n bne 0b",
    "found": "movs r3,#0x5a\n strb r3,[r1,#200]\n 0: ldrb r4,[r1],#1\n strb r4,[r0],#1\n cmp r4,r3\n bne 0b",
    "with gaps": "0: strb r2,[r0],#3\n subs r2,#4\n bne 0b",
    "over each other": "0: str r1,[r0]\n strh r2,[r0,#3]\n adds r0,#2\n adds r1,#1\n subs r2,#4\n bne 0b",
    "growing": "movs r3,#1\n 0: strh r3,[r0],#2\n adds r3,r3,r3\n eor r3,r2\n subs r2,#4\n bne 0b",
    "backwards": "add r0,r2\n add r1,r2\n 0: ldrb r3,[r1,#-1]!\n strb r3,[r0,#-1]!\n subs r2,#1\n bne 0b",
    "by a table": "mov r5,r1\n 0: ldrb r3,[r1],#1\n ldrb r3,[r5,r3]\n strb r3,[r0],#1\n subs r2,#1\n bne 0b",
    "now and then": "0: tst r2,#0x40\n beq 1f\n strh r2,[r0,r2]\n 1: subs r2,#2\n bne 0b",
    "nested": "movs r3,#4\n 1: movs r4,#64\n 0: str r4,[r0],#4\n subs r4,#4\n bne 0b\n subs r3,#1\n bne 1b",
    "to the end": "ldr r1,=0x313fff00\n movs r2,#64\n 0: ldr r3,[r1],#4\n str r3,[r0],#4\n subs r2,#1\n bne 0b",
    "the carry kept": "cmp r2,#0\n 0: str r2,[r0],#4\n ands r3,r2,#255\n sub r2,#4\n bhi 0b\n adds r2,#0",
    "under a condition": "0: tst r2,#4\n ite eq\n streq r1,[r0],#4\n strne r2,[r0],#4\n subs r2,#4\n bne 0b",
}

SOURCE = r"""
uint32_t left[2][8]; /* r0 to r6, flags */
static void run(int which, uint32_t target, uint32_t source, uint32_t count) {
  register uint32_t r0 __asm("r0") = target, r1 __asm("r1") = source, r2 __asm("r2") = count;
  __asm volatile("movs r3,#0\n movs r4,#0\n movs r5,#0\n movs r6,#0\n LOOP\n mrs r7,apsr\n"
                 "cmp %3,#0\n ldr r12,=left\n it ne\n addne r12,#32\n stmia r12!,{r0-r6}\n str r7,[r12]\n"
                 : "+r"(r0), "+r"(r1), "+r"(r2) : "r"(which)
                 : "r3", "r4", "r5", "r6", "r7", "r12", "lr", "cc", "memory");
}
int main(void) {
  for (int i = 0; i < 512; i++) ((volatile uint8_t *)0x31010000)[i] = i * 37 + 11;
  run(0, 0x31000000, 0x31010000, 512);
  run(1, 0x38000000, 0x31010000, 512);
  for (int i = 0; i < 512; i += 4) if (REG(0x31000000 + i) != REG(0x38000000 + i)) { print("differs "); hex(i); }
  for (int i = 0; i < 8; i++) {
    uint32_t one = left[0][i], other = left[1][i];
    if (one != other && one + 0x07000000 != other /* an address */) {
      print("left "); hex(i); hex(one); hex(other); }
  }
  print("done\n");
}
"""


@pytest.mark.parametrize("loop", LOOPS)
def test_a_loop_that_stores_to_flash_leaves_what_it_leaves_elsewhere(loop, tmp_path):
    text = LOOPS[loop].replace("\n", "\\n")
    done = run_guest(build_guest(tmp_path, SOURCE.replace("LOOP", text)), "--stat")
    assert done.output.startswith("done\n")


def test_a_sector_of_flash_is_erased_in_few_stops_of_the_cpu(tmp_path):
    source = """int main(void) {
      volatile uint32_t *sector = (void *)0x38700000;
      for (int i = 0; i < 0x4000; i++) sector[i] = 0xffffffff;
      print("last "); hex(sector[0x3fff]); print("next "); hex(sector[0x4000]); }"""
    done = run_guest(build_guest(tmp_path, source), "--stat")
    assert (done.value("last"), done.value("next")) == (0xFFFFFFFF, 0)
    stops = re.search(r"register accesses\s*: (\d+)", done.output)
    assert stops is not None
    assert int(stops[1]) < 16


def test_a_loop_that_stores_to_flash_takes_the_time_that_it_takes_elsewhere(tmp_path):
    source = """int main(void) {
      for (int place = 0; place < 2; place++) {
        volatile uint32_t *sector = (void *)(place ? 0x38700000 : 0x31000000);
        REG(0xE000E014) = 0xffffff; REG(0xE000E018) = 0; REG(0xE000EDFC) |= 1u << 24; REG(0xE0001000) |= 1;
        uint32_t first = REG(0xE0001004);
        for (int i = 0; i < 0x4000; i++) sector[i] = i;
        print(place ? "flash " : "sram "); hex(REG(0xE0001004) - first);
      } }"""
    done = run_guest(build_guest(tmp_path, source))
    assert done.value("flash") == pytest.approx(done.value("sram"), rel=0.01)


def test_code_in_flash_that_stores_there_is_carried_out_as_it_is_now(tmp_path):
    # str r1,[r0]; strh r1,[r0]; each with bx lr behind it
    source = """int main(void) {
      void (*code)(uint32_t, uint32_t) = (void *)0x38100001;
      REG(0x38100000) = 0x47706001; code(0x38200000, 0x11111111); print("first "); hex(REG(0x38200000));
      REG(0x38100000) = 0x47708001; code(0x38200000, 0x22222222); print("then "); hex(REG(0x38200000)); }"""
    done = run_guest(build_guest(tmp_path, source))
    assert (done.value("first"), done.value("then")) == (0x11111111, 0x11112222)
