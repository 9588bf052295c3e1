Thread 3 (LWP 29069):
#0  0x0000000000400178 in raw ()
#1  0x00000000004001f0 in sleeping ()
#2  0x0000000000400200 in thread_inner ()
#3  0x000000000040020c in thread_outer ()
#4  0x00000000004001b0 in spawn ()
Thread 2 (LWP 29068):
#0  0x0000000000400178 in raw ()
#1  0x00000000004001f0 in sleeping ()
#2  0x0000000000400200 in thread_inner ()
#3  0x000000000040020c in thread_outer ()
#4  0x00000000004001b0 in spawn ()
Thread 1 (LWP 29061):
#0  0x0000000000400210 in crash ()
#1  0x0000000000400234 in handler ()
#2  <signal handler called>
#3  0x0000000000400178 in raw ()
#4  0x0000000000400288 in interrupted ()
#5  0x000000000040029c in middle ()
#6  0x00000000004002b0 in outer ()
#7  0x0000000000400360 in begin ()
#8  0x000000000040015c in _start ()
#0  0x0000000000400210 in crash ()
reg x0 10
reg x1 a
reg x2 401000
reg x3 0
reg x4 0
reg x5 400220
reg x6 0
reg x7 0
reg x8 81
reg x9 400200
reg x10 0
reg x11 0
reg x12 0
reg x13 0
reg x14 0
reg x15 0
reg x16 0
reg x17 0
reg x18 0
reg x19 401ff0
reg x20 0
reg x21 0
reg x22 0
reg x23 0
reg x24 0
reg x25 0
reg x26 0
reg x27 0
reg x28 0
reg x29 55007ff2e0
reg x30 400234
reg sp 55007ff2e0
reg pc 400210
