Thread 3 (LWP 30737):
#0  0x00400178 in raw ()
#1  0x00400204 in sleeping ()
#2  0x0040021c in thread_inner ()
#3  0x0040022c in thread_outer ()
#4  0x004001c0 in spawn ()
Thread 2 (LWP 30736):
#0  0x00400178 in raw ()
#1  0x00400204 in sleeping ()
#2  0x0040021c in thread_inner ()
#3  0x0040022c in thread_outer ()
#4  0x004001c0 in spawn ()
Thread 1 (LWP 30723):
#0  0x0040022c in crash ()
#1  0x00400248 in handler ()
#2  <signal handler called>
#3  0x00400178 in raw ()
#4  0x0040029c in interrupted ()
#0  0x0040022c in crash ()
reg r0 0
reg r1 0
reg r2 0
reg r3 0
reg r4 10
reg r5 0
reg r6 40800408
reg r7 0
reg r8 0
reg r9 0
reg r10 0
reg r11 0
reg r12 0
reg r13 0
reg r14 0
reg r15 0
reg r16 400000
reg r17 0
reg r18 0
reg r19 0
reg r20 0
reg r21 0
reg r22 0
reg r23 0
reg r24 0
reg r25 400238
reg r26 0
reg r27 0
reg r28 0
reg r29 408003d8
reg r30 0
reg r31 400248
reg lo 0
reg hi 0
reg pc 40022c
