# SPDX-License-Identifier: GPL-2.0-or-later
"""The probers that are compared, by what they are asked: how each is started."""
import collections
import os

FUNCTION = "do_prlimit"
# Together about a thousand functions of a kernel of Debian's; the first has FUNCTION.
GLOBS = ["do_*", "tcp_*", "skb_*", "dev_*"]
MANY = "many: count"
PRINTED_VIEW = "a line a call"

# view: what it is asked; tool: who, with * when it does less than culprit; setup and undo: shell commands
# before and after.
Prober = collections.namedtuple("Prober", "view tool argv setup undo")
Prober.__new__.__defaults__ = ("", "")

TRACING = "/sys/kernel/tracing"
NO_KPROBE = f"echo -:bench/call >> {TRACING}/kprobe_events 2>/dev/null"
WAIT = "trap 'exit 0' INT TERM; while :; do sleep 0.01; done"
PRINTED = '"%s %d %d %p %u %p %p\\n", comm, pid, cpu, {}'
BY_BTF = PRINTED.format("args->tsk, args->resource, args->new_rlim, args->old_rlim")
RETURNED = BY_BTF.replace("\\n", " %d %d\\n") + ", retval, nsecs - @s[tid]"
RETURNED_NO_TIME = BY_BTF.replace("\\n", " %d\\n") + ", retval"
BY_REGISTERS = PRINTED.format("arg0, arg1, arg2, arg3")


def _kprobe(arguments):
    return f"{NO_KPROBE}; echo 'p:bench/call {FUNCTION} {arguments}' >> {TRACING}/kprobe_events"


KPROBE = _kprobe("resource=%si:u32")
KPROBE_ALL = _kprobe("tsk=%di:x64 resource=%si:u32 new_rlim=%dx:x64 old_rlim=%cx:x64")


def _culprit(view, *args):
    return Prober(view, "culprit", ["build/culprit", "probe", FUNCTION, *args])


def _bpftrace(view, tool, program):
    return Prober(view, f"bpftrace {tool}",
                  ["env", "BPFTRACE_MAX_PROBES=5000", "bpftrace", "-e", program])


def _both(view, kfunc, kprobe, less=""):
    return [_bpftrace(view, "kfunc" + less, kfunc), _bpftrace(view, "kprobe" + less, kprobe)]


def _counting(told):
    """By bpftrace: what is refused is counted, as culprit does."""
    return (f"kfunc:{FUNCTION} {{ if (args->resource == 77) {{ {told} }} "
            "else { @refused = count(); } }")


def _timed(refused, told):
    """By bpftrace: what is not `refused` is told when it returns, with the time inside."""
    return (f"kfunc:{FUNCTION} {refused} {{ @s[tid] = nsecs; }} kretfunc:{FUNCTION} {refused} "
            f"{{ {told} delete(@s[tid]); }}")


def _duration(way, back):
    return (f"{way}:{FUNCTION} {{ @s[tid] = nsecs; }} {back}:{FUNCTION} /@s[tid]/ "
            "{ @ = hist(nsecs - @s[tid]); delete(@s[tid]); }")


def _perf(view, tool, *args, kprobe=KPROBE):
    return Prober(view, tool, ["perf", *args], kprobe, NO_KPROBE)


def _trigger(view, tool, trigger):
    at = f"{TRACING}/events/bench/call/trigger"
    return Prober(view, tool, ["sh", "-c", WAIT], f"{KPROBE}; echo '{trigger}' > {at}",
                  f"echo '!{trigger}' > {at}; {NO_KPROBE}")


def _single(scratch):
    data = os.path.join(scratch, "perf.data")
    dat = os.path.join(scratch, "trace.dat")
    event = ["-e", "bench:call", "-a"]
    return [
        _culprit("count", "--count", "--stack", "none"),
        *_both("count", f"kfunc:{FUNCTION} {{ @ = count(); }}",
               f"kprobe:{FUNCTION} {{ @ = count(); }}"),
        _perf("count", "perf stat", "stat", *event),
        _trigger("count", "ftrace hist trigger", "hist:keys=resource"),
        _culprit("by stack", "--count"),
        *_both("by stack", f"kfunc:{FUNCTION} {{ @[kstack] = count(); }}",
               f"kprobe:{FUNCTION} {{ @[kstack] = count(); }}"),
        _trigger("by stack", "ftrace hist trigger", "hist:keys=common_stacktrace"),
        _culprit("by value", "--count", "--by", "resource"),
        *_both("by value", f"kfunc:{FUNCTION} {{ @[args->resource] = count(); }}",
               f"kprobe:{FUNCTION} {{ @[arg1] = count(); }}"),
        _culprit(PRINTED_VIEW, "--depth", "0"),
        *_both(PRINTED_VIEW, f"kfunc:{FUNCTION} {{ printf({BY_BTF}); }}",
               f"kprobe:{FUNCTION} {{ printf({BY_REGISTERS}); }}"),
        _perf(PRINTED_VIEW, "perf record", "record", "-o", data, *event, kprobe=KPROBE_ALL),
        _perf(PRINTED_VIEW, "perf trace", "trace", *event, kprobe=KPROBE_ALL),
        Prober(PRINTED_VIEW, "trace-cmd function",
               ["trace-cmd", "record", "-o", dat, "-p", "function", "-l", FUNCTION]),
        _culprit("filtered out", "--if", "resource == 77"),
        _bpftrace("filtered out", "kfunc", _counting(f"printf({BY_BTF});")),
        *_both("filtered out", f"kfunc:{FUNCTION} /args->resource == 77/ {{ printf({BY_BTF}); }}",
               f"kprobe:{FUNCTION} /arg1 == 77/ {{ printf({BY_REGISTERS}); }}", ", no count*"),
        _perf("filtered out", "perf record --filter", "record", "-o", data, *event,
              "--filter", "resource == 77"),
        _perf("filtered out", "perf trace --filter", "trace", *event, "--filter", "resource == 77",
              kprobe=KPROBE_ALL),
        _culprit("filtered out, told at its return", "--ret", "--depth", "0",
                 "--if", "resource == 77"),
        _bpftrace("filtered out, told at its return", "kfunc",
                  f"{_counting('@s[tid] = nsecs;')} kretfunc:{FUNCTION} /args->resource == 77/ "
                  f"{{ printf({RETURNED}); delete(@s[tid]); }}"),
        _bpftrace("filtered out, told at its return", "kfunc, no count*",
                  _timed("/args->resource == 77/", f"printf({RETURNED});")),
        _bpftrace("filtered out, told at its return", "kretfunc, no time, no count*",
                  f"kretfunc:{FUNCTION} /args->resource == 77/ {{ printf({RETURNED_NO_TIME}); }}"),
        _culprit("errors, of which there are none", "--errors", "--depth", "0",
                 "--stack", "none"),
        _bpftrace("errors, of which there are none", "kfunc",
                  _timed("", f"if (retval < 0) {{ printf({RETURNED}); }}")),
        _bpftrace("errors, of which there are none", "kretfunc, no time*",
                  f"kretfunc:{FUNCTION} /retval < 0/ {{ printf({RETURNED_NO_TIME}); }}"),
        _culprit("durations", "--hist", "dur"),
        *_both("durations", _duration("kfunc", "kretfunc"), _duration("kprobe", "kretprobe")),
    ]


def all_of_them(scratch):
    """Every view; of each, culprit and its peers."""
    many = ",".join(f"kprobe:{g}" for g in GLOBS)
    return [
        *_single(scratch),
        Prober(MANY, "culprit",
               ["build/culprit", "probe", *GLOBS, "--count", "--stack", "none"]),
        Prober(MANY, "culprit by stack", ["build/culprit", "probe", *GLOBS, "--count"]),
        _bpftrace(MANY, "kprobe", many + " { @[func] = count(); }"),
    ]
