Thread 3 (LWP 30972):
#0  0x00000001200001e8 in raw ()
#1  0x000000012000028c in sleeping ()
Thread 2 (LWP 30970):
#0  0x00000001200001e8 in raw ()
#1  0x000000012000028c in sleeping ()
Thread 1 (LWP 30965):
#0  0x00000001200002b8 in crash ()
#1  0x00000001200002d8 in handler ()
#2  <signal handler called>
#3  0x00000001200001e8 in raw ()
#4  0x0000000120000340 in interrupted ()
#0  0x00000001200002b8 in crash ()
reg r0 0
reg r1 0
reg r2 0
reg r3 20000000
reg r4 10
reg r5 4000800240
reg r6 40008002c0
reg r7 0
reg r8 0
reg r9 0
reg r10 0
reg r11 0
reg r12 0
reg r13 0
reg r14 0
reg r15 0
reg r16 120000000
reg r17 0
reg r18 0
reg r19 0
reg r20 0
reg r21 0
reg r22 0
reg r23 0
reg r24 0
reg r25 1200002c8
reg r26 0
reg r27 0
reg r28 0
reg r29 4000800218
reg r30 0
reg r31 1200002d8
reg lo 0
reg hi 0
reg pc 1200002b8
