Thread 3 (LWP 29026):
#0  0x0000000000400169 in raw ()
#1  0x00000000004001c3 in sleeping ()
#2  0x00000000004001d9 in thread_inner ()
#3  0x00000000004001e9 in thread_outer ()
#4  0x000000000040018b in spawn ()
Thread 2 (LWP 29025):
#0  0x0000000000400169 in raw ()
#1  0x00000000004001c3 in sleeping ()
#2  0x00000000004001d9 in thread_inner ()
#3  0x00000000004001e9 in thread_outer ()
#4  0x000000000040018b in spawn ()
Thread 1 (LWP 29024):
#0  0x00000000004001f0 in crash ()
#1  0x000000000040020a in handler ()
#2  <signal handler called>
#3  0x0000000000400169 in raw ()
#4  0x000000000040024e in interrupted ()
#5  0x0000000000400269 in middle ()
#6  0x0000000000400279 in outer ()
#7  0x0000000000400313 in begin ()
#8  0x0000000000400157 in _start ()
#0  0x00000000004001f0 in crash ()
reg r8 0
reg r9 0
reg r10 0
reg r11 246
reg r12 4001e0
reg r13 0
reg r14 0
reg r15 0
reg rax 0
reg rbx 0
reg rcx 400169
reg rdx 7fff1cd6b900
reg rsi 7fff1cd6ba30
reg rdi 10
reg rbp 0
reg rsp 7fff1cd6b8f0
reg rip 4001f0
reg orig_rax ffffffffffffffff
reg cs 33
reg ss 2b
