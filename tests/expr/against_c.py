#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""against_c.py EVALUATE ROOT COMPILER [SEED [COUNT]]

Random arithmetic, evaluated by us and by a C compiler: values, sizes and signs must be the same. What
C leaves undefined is written so that it is not (shift counts), or left out (divisions that trap).
COMPILER is clang: gcc computes with bit fields wider than int in another way."""
import random
import subprocess
import sys
import tempfile

NAMES = {"i": "in.i", "u": "in.u", "l": "in.l", "ul": "in.ul", "c8": "in.c8", "uc": "in.uc",
         "us": "in.us", "flag": "flag", "w": "(unsigned)in.w", "n": "(long)in.n",
         "pair.tag": "in.pair.tag", "pair.odd": "in.pair.odd", "pair.x": "in.pair.x",
         "pair.y": "in.pair.y", "pair.end[0]": "in.pair.end[0]", "counter": "im.counter",
         "tight.x": "im.tight.x", "tight.y": "im.tight.y", "table[3]": "im.table[3]",
         "table[7]": "im.table[7]", "GREEN": "GREEN", "BLUE": "BLUE", "DIM": "DIM",
         "DAZZLING": "DAZZLING", "LOW": "LOW", "HIGH": "HIGH", "sh": "in.sh", "em": "in.em"}
for member in ("refs flags id half[1] lo hi a b c wide big sbig arr[2] grid[1][2] on col s8 u8 "
               "u16 shade mask bit few swide bytes[3]").split():
    NAMES["acct." + member] = "im.acct." + member
    NAMES["q->" + member] = "im.other." + member
EDGES = [0, 1, 2, 3, 7, 31, 32, 63, 64, 127, 128, 255, 256, 32767, 32768, 65535, 2**31 - 1, 2**31,
         2**32 - 1, 2**32, 2**63 - 1, 2**63]
UNARY = ["-", "~", "!", "+", "(int)", "(unsigned)", "(u8)", "(s8)", "(u16)", "(short)", "(long)",
         "(u64)", "(bool)", "(enum color)", "(enum shade)", "(enum mask)", "(unsigned long)", "(char)"]
BINARY = ["+", "-", "*", "/", "%", "<<", ">>", "<", "<=", "==", "!=", ">", ">=", "&", "^", "|",
          "&&", "||"]
PROGRAM = """
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include "tests/unit/expr/fake.h"
typedef uint8_t u8; typedef int8_t s8; typedef uint16_t u16; typedef uint64_t u64;
static volatile struct inputs in;
static volatile struct image im;
static volatile bool flag;
static sigjmp_buf trapped;
static void on_trap(int signum) { siglongjmp(trapped, signum); }
#define TELL(x) do { if (sigsetjmp(trapped, 1)) { puts("traps"); break; } \\
    __auto_type v = (x); int negative = (__typeof__(v))-1 < 0; \\
    printf("0x%%llx %%zu %%d\\n", negative ? (unsigned long long)(long long)v : v, sizeof(v), \\
        negative); } while (0)
int main(int argc, char **argv)
{
    FILE *f = fopen(argv[argc - 1], "rb");
    if (!f || !fread((void *)&in, sizeof(in), 1, f) || !fread((void *)&im, sizeof(im), 1, f))
        return 2;
    flag = in.flag;
    signal(SIGFPE, on_trap);
%s
    return 0;
}
"""


def leaf(rng):
    if rng.random() < 0.65:
        return rng.choice(list(NAMES.items()))
    value, suffix = rng.choice(EDGES), rng.choice(["", "", "u", "l", "ul", "ll", "ull"])
    if rng.random() < 0.5:
        return (hex(value) + suffix,) * 2
    if value == 2**63 and "u" not in suffix:  # has no type in C
        suffix = "u"
    return (str(value) + suffix,) * 2


def expression(rng, depth):
    """The same in our language and in C."""
    kind = rng.randrange(10)
    if depth <= 0 or kind == 0:
        return leaf(rng)
    a, in_c = expression(rng, depth - 1)
    if kind < 3:
        op = rng.choice(UNARY)
        return f"{op}({a})", f"{op}({in_c})".replace("(char)", "(signed char)")
    b, b_in_c = expression(rng, depth - 1)
    if kind == 3:
        c, c_in_c = expression(rng, depth - 1)
        return f"({a} ? {b} : {c})", f"({in_c} ? {b_in_c} : {c_in_c})"
    op = rng.choice(BINARY)
    if op in ("<<", ">>"):
        return (f"({a} {op} {b})",
                f"(({in_c}) {op} (({b_in_c}) & (sizeof(+({in_c})) * 8 - 1)))")
    return f"({a} {op} {b})", f"({in_c} {op} {b_in_c})"


def expressions(rng, count):
    pairs = []
    while len(pairs) < count:
        ours, in_c = expression(rng, rng.randrange(1, 5))
        if len(in_c) < 20000 and len(ours) < 4000:
            pairs.append((f"0 + {ours}", f"0 + {in_c}"))
    return pairs


def main():
    evaluate, root, compiler = sys.argv[1:4]
    seed = int(sys.argv[4], 0) if len(sys.argv) > 4 else 1
    pairs = expressions(random.Random(seed), int(sys.argv[5]) if len(sys.argv) > 5 else 1500)
    with tempfile.TemporaryDirectory() as place:
        world, program = place + "/world", place + "/program"
        ours = subprocess.run([evaluate, world], input="".join(t + "\n" for t, _ in pairs),
                              stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
        with open(program + ".c", "w") as file:
            file.write(PROGRAM % "\n".join(f"    TELL({c});" for _, c in pairs))
        subprocess.run([compiler, "-w", "-O0", "-fwrapv", f"-I{root}", f"-I{root}/src", "-o", program,
                        program + ".c"], check=True)
        theirs = subprocess.run([program, world], stdout=subprocess.PIPE, text=True,
                                check=True).stdout.splitlines()
    wrong = failed = 0
    for (text, _), a, b in zip(pairs, ours, theirs):
        if a == "fails" or b == "traps":
            failed += 1
            wrong += "/" not in text and "%" not in text
        elif a != b:
            wrong += 1
            print(f"{text}\n  {a}, in C {b}")
    print(f"seed {seed}: {len(pairs)} expressions, {failed} divide by zero, {wrong} wrong")
    return wrong != 0 or failed * 2 > len(pairs)


if __name__ == "__main__":
    sys.exit(main())
