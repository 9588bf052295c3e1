Thread 3 (LWP 30650):
#0  0x00010128 in raw ()
#1  0x000101a6 in sleeping ()
#2  0x000101ae in thread_inner ()
#3  0x000101b6 in thread_outer ()
#4  0x0001016c in spawn ()
#5  0x0001016c in spawn ()
#6  0x0001016c in spawn ()
#7  0x0001016c in spawn ()
#8  0x0001016c in spawn ()
#9  0x0001016c in spawn ()
#10 0x0001016c in spawn ()
#11 0x0001016c in spawn ()
Thread 2 (LWP 30649):
#0  0x00010128 in raw ()
#1  0x000101a6 in sleeping ()
#2  0x000101ae in thread_inner ()
#3  0x000101b6 in thread_outer ()
#4  0x0001016c in spawn ()
#5  0x0001016c in spawn ()
#6  0x0001016c in spawn ()
#7  0x0001016c in spawn ()
#8  0x0001016c in spawn ()
#9  0x0001016c in spawn ()
#10 0x0001016c in spawn ()
#11 0x0001016c in spawn ()
Thread 1 (LWP 30645):
#0  0x000101b8 in crash ()
#1  0x000101d0 in handler ()
#2  0x3ffff00c in ?? ()
#0  0x000101b8 in crash ()
reg r0 10
reg r1 a
reg r2 0
reg r3 11330
reg r4 0
reg r5 11330
reg r6 0
reg r7 25
reg r8 0
reg r9 0
reg r10 11330
reg r11 0
reg r12 101b1
reg sp 408003b8
reg lr 101d1
reg pc 101b8
reg cpsr 20000030
