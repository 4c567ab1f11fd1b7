/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Figures from recorded trees of /proc and cgroup files, versions 1 and 2 (as a Docker 20.10 on
 * Debian 12 and a 24.0 on a cgroup v2 host showed them), and from this very process. */
#include "supervisor/usage.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/mem.h"
#include "tap.h"

#define ID "3a5af17f92cc0d2b8a7f3e5d1c9b4a6f7e8d9c0b1a2f3e4d5c6b7a8f9e0d1c2b"
#define V1 "/docker/" ID
#define V2 "/system.slice/docker-" ID ".scope"

static char root[] = "/tmp/mcptop-t_usage-XXXXXX";

static void put(const char *path, const char *text)
{
    AUTO_FREE char *whole = xasprintf("%s%s", root, path);
    for (char *p = strchr(whole + 1, '/'); p; p = strchr(p + 1, '/')) {
        *p = '\0';
        if (mkdir(whole, 0700) < 0 && errno != EEXIST)
            abort();
        *p = '/';
    }
    FILE *f = fopen(whole, "w");
    if (!f || fputs(text, f) < 0 || fclose(f) != 0)
        abort();
}

static const char v1_mounts[] =
    "25 30 0:23 / /sys/fs/cgroup ro,nosuid - tmpfs tmpfs ro,mode=755\n"
    "31 25 0:27 / /sys/fs/cgroup/memory rw,nosuid shared:15 - cgroup cgroup rw,memory\n"
    "32 25 0:28 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:16 - cgroup cgroup rw,cpu,cpuacct\n"
    "33 25 0:29 / /sys/fs/cgroup/pids rw,nosuid shared:17 - cgroup cgroup rw,pids\n"
    "35 25 0:31 / /sys/fs/cgroup/blkio rw,nosuid shared:18 - cgroup cgroup rw,blkio\n"
    "34 25 0:30 / /sys/fs/cgroup/unified rw,nosuid - cgroup2 cgroup2 rw\n";

static const char net_dev[] =
    "Inter-| Receive | Transmit\n"
    " face |bytes packets errs drop fifo frame compressed multicast|bytes packets errs …\n"
    "    lo:     999       9    0    0    0     0          0         0      999       9 0 0 0 0 0 0\n"
    "  eth0:   46000      40    0    0    0 0 0 0     1200      12 0 0 0 0 0 0\n"
    "  eth1:     100       1    0    0    0     0          0         0       10       1 0 0 0 0 0 0\n";

static void record_v1(const char *cpu_ns, const char *cpu_stat)
{
    put("/proc/self/mountinfo", v1_mounts);
    put("/proc/77/cgroup",
        "13:blkio:" V1 "\n12:pids:" V1 "\n5:cpu,cpuacct:" V1 "\n4:memory:" V1 "\n1:name=systemd:" V1 "\n0::/\n");
    put("/proc/77/net/dev", net_dev);
    put("/sys/fs/cgroup/memory" V1 "/memory.usage_in_bytes", "104857600\n");
    put("/sys/fs/cgroup/memory" V1 "/memory.max_usage_in_bytes", "209715200\n");
    put("/sys/fs/cgroup/memory" V1 "/memory.limit_in_bytes", "536870912\n");
    put("/sys/fs/cgroup/memory" V1 "/memory.stat",
        "cache 4096\ninactive_file 1\ntotal_cache 30000000\ntotal_inactive_file 20971520\n");
    put("/sys/fs/cgroup/memory" V1 "/memory.oom_control",
        "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n");
    put("/sys/fs/cgroup/cpu,cpuacct" V1 "/cpuacct.usage", cpu_ns);
    put("/sys/fs/cgroup/cpu,cpuacct" V1 "/cpu.stat", cpu_stat);
    put("/sys/fs/cgroup/pids" V1 "/pids.current", "19\n");
    put("/sys/fs/cgroup/blkio" V1 "/blkio.throttle.io_service_bytes",
        "8:0 Read 4096\n8:0 Write 100\n8:0 Sync 1\n8:0 Total 4196\n"
        "8:16 Read 1\n8:16 Write 2\n8:16 Total 3\nTotal 4199\n");
    put("/sys/fs/cgroup/unified/cpu.pressure",
        "some avg10=99.00 avg60=0.00 avg300=0.00 total=1\n");
}

static void test_v1(void)
{
    struct usage u;
    record_v1("1000000000\n", "nr_periods 100\nnr_throttled 10\nthrottled_time 5\n");
    struct usage_probe *p = usage_probe_new(root, 77, ID);
    ok(p && usage_probe_sample(p, 1000, &u) && u.known, "version 1 is read");
    is_int(u.memory_bytes, 104857600 - 20971520, "memory without inactive page cache");
    is_int(u.memory_peak_bytes, 209715200, "its peak");
    is_int(u.memory_limit_bytes, 536870912, "its limit");
    is_int(u.ooms, 2, "OOM kills");
    is_int(u.pids, 19, "pids");
    is_int(u.net_rx_bytes, 46100, "received by all interfaces but lo");
    is_int(u.net_tx_bytes, 1210, "sent");
    is_int(u.memory_high_bytes, 104857600 - 20971520, "the highest seen");
    is_int(u.io_read_bytes, 4097, "read from disks");
    is_int(u.io_write_bytes, 102, "written");
    ok(u.pressure_cpu < 0 && u.pressure_memory < 0,
       "the whole machine's pressure is not the container's");
    ok(u.cpu_percent < 0 && u.throttled_percent < 0, "no rate from one sample");
    record_v1("1500000000\n", "nr_periods 110\nnr_throttled 15\nthrottled_time 5\n");
    ok(usage_probe_sample(p, 2000, &u), "again");
    ok(u.cpu_percent > 49.9 && u.cpu_percent < 50.1, "half a core (%g)", u.cpu_percent);
    ok(u.throttled_percent > 49.9 && u.throttled_percent < 50.1,
       "half of the periods throttled (%g)", u.throttled_percent);
    put("/sys/fs/cgroup/memory" V1 "/memory.limit_in_bytes", "9223372036854771712\n");
    ok(usage_probe_sample(p, 3000, &u) && u.memory_limit_bytes == 536870912 && u.cpu_percent == 0.,
       "of one that did not run only that is looked at");
    usage_probe_refresh(p);
    ok(usage_probe_sample(p, 4000, &u) && u.memory_limit_bytes == 0, "but when asked to; no limit is 0");
    put("/sys/fs/cgroup/memory" V1 "/memory.usage_in_bytes", "204857600\n");
    ok(usage_probe_sample(p, 5000, &u) && u.memory_bytes == 104857600 - 20971520, "calm again");
    ok(usage_probe_sample(p, 24000, &u) && u.memory_bytes == 204857600 - 20971520,
       "and after a while all is read");
    put("/sys/fs/cgroup/memory" V1 "/memory.usage_in_bytes", "104857600\n");
    record_v1("1501000000\n", "nr_periods 120\nnr_throttled 15\nthrottled_time 5\n");
    ok(usage_probe_sample(p, 25000, &u) && u.memory_bytes == 104857600 - 20971520 &&
       u.throttled_percent == 0., "so it is when it ran");
    usage_probe_free(p);
    ok(!usage_probe_new(root, 77, "0123456789ab"), "a process of another container is refused");
    ok(!usage_probe_new(root, 78, ID), "a process that is not there too");
}

static void record_v2(const char *cpu_stat)
{
    put("/proc/self/mountinfo",
        "30 25 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n");
    put("/proc/88/cgroup", "0::" V2 "\n");
    put("/proc/88/net/dev", net_dev);
    put("/sys/fs/cgroup" V2 "/memory.current", "50331648\n");
    put("/sys/fs/cgroup" V2 "/memory.max", "max\n");
    put("/sys/fs/cgroup" V2 "/memory.stat", "anon 1\nfile 2\ninactive_file 331648\n");
    put("/sys/fs/cgroup" V2 "/memory.events", "low 0\nhigh 0\nmax 3\noom 1\noom_kill 1\n");
    put("/sys/fs/cgroup" V2 "/cpu.stat", cpu_stat);
    put("/sys/fs/cgroup" V2 "/pids.current", "4\n");
    put("/sys/fs/cgroup" V2 "/io.stat",
        "8:0 rbytes=4096 wbytes=512 rios=1 wios=1 dbytes=0 dios=0\n254:0 \n"
        "8:16 rbytes=4 wbytes=5 rios=1 wios=1 dbytes=0 dios=0\n");
    put("/sys/fs/cgroup" V2 "/cpu.pressure",
        "some avg10=1.25 avg60=0.00 avg300=0.00 total=5\nfull avg10=0.00 …\n");
    put("/sys/fs/cgroup" V2 "/memory.pressure", "some avg10=42.07 avg60=0.00 avg300=0.00 total=5\n");
}

static void test_v2(void)
{
    struct usage u;
    record_v2("usage_usec 2000000\nuser_usec 1\nsystem_usec 1\n"
              "nr_periods 50\nnr_throttled 0\nthrottled_usec 0\n");
    struct usage_probe *p = usage_probe_new(root, 88, ID);
    ok(p && usage_probe_sample(p, 1000, &u) && u.known, "version 2 is read");
    is_int(u.memory_bytes, 50000000, "memory");
    is_int(u.memory_peak_bytes, 50000000, "without memory.peak the highest seen");
    is_int(u.memory_limit_bytes, 0, "\"max\" is no limit");
    is_int(u.ooms, 1, "OOM kills");
    is_int(u.pids, 4, "pids");
    is_int(u.io_read_bytes, 4100, "read from disks");
    is_int(u.io_write_bytes, 517, "written");
    ok(u.pressure_cpu > 1.24 && u.pressure_cpu < 1.26, "waiting for the CPU (%g)", u.pressure_cpu);
    ok(u.pressure_memory > 42.06 && u.pressure_memory < 42.08, "for memory (%g)",
       u.pressure_memory);
    ok(u.pressure_io < 0, "a file that is not there is not known");
    put("/sys/fs/cgroup" V2 "/io.stat", "");
    record_v2("usage_usec 2250000\nnr_periods 50\nnr_throttled 0\n");
    ok(usage_probe_sample(p, 2000, &u) && u.cpu_percent > 24.9 && u.cpu_percent < 25.1,
       "a quarter of a core");
    ok(u.throttled_percent == 0., "no period, no throttling");
    put("/sys/fs/cgroup" V2 "/io.stat", "8:0 rbytes=9000 wbytes=0 rios=1 wios=0 dbytes=0 dios=0\n");
    ok(usage_probe_sample(p, 3000, &u) && u.io_read_bytes == 4100, "disks are read rarely");
    ok(usage_probe_sample(p, 32000, &u) && u.io_read_bytes == 9000, "but read");
    usage_probe_free(p);
    put("/sys/fs/cgroup" V2 "/memory.peak", "90000000\n");
    p = usage_probe_new(root, 88, ID);
    ok(p && usage_probe_sample(p, 1000, &u), "a kernel that keeps the peak");
    is_int(u.memory_peak_bytes, 90000000, "its peak");
    is_int(u.memory_high_bytes, 50000000, "and the highest without page cache");
    AUTO_FREE char *gone = xasprintf("%s/sys/fs/cgroup" V2 "/memory.current", root);
    usage_probe_free(p);
    ok(unlink(gone) == 0 && !usage_probe_new(root, 88, ID),
       "a cgroup that cannot be read is for the engine's stats");
}

static void test_tree(void)
{
    struct usage u;
    int pipes[2];
    if (pipe(pipes) < 0)
        return;
    pid_t child = fork();
    if (child == 0) {
        close(pipes[1]);
        pid_t grandchild = fork();
        char c;
        ssize_t n = read(pipes[0], &c, 1);
        if (grandchild > 0)
            waitpid(grandchild, NULL, 0);
        _exit(n == 0 ? 0 : 1);
    }
    close(pipes[0]);
    struct usage_probe *p = usage_probe_new("", child, NULL);
    ok(p != NULL, "a process");
    int64_t now_ms = 1000;
    for (int i = 0; i < 200 && usage_probe_sample(p, now_ms, &u) && u.pids < 2; i++, now_ms += 1000)
        usleep(5000);
    is_int(u.pids, 2, "and its child, found while it is young");
    usage_probe_sample(p, now_ms += 1000, &u);
    ok(u.memory_bytes > 4096 && u.memory_peak_bytes >= u.memory_bytes, "their memory");
    ok(u.cpu_percent >= 0 && u.net_rx_bytes == -1 && u.ooms == -1,
       "what is not known on the host is -1");
    close(pipes[1]);
    waitpid(child, NULL, 0);
    ok(!usage_probe_sample(p, now_ms, &u) && !u.known, "gone when the processes are");
    usage_probe_free(p);
    ok(!usage_probe_new("", child, NULL), "no probe of a process that is not there");
}

static void put_process(int pid, int parent, const char *children, int64_t read, int64_t written)
{
    AUTO_FREE char *stat = xasprintf("/proc/%d/stat", pid), *io = xasprintf("/proc/%d/io", pid),
                   *task = xasprintf("/proc/%d/task/%d/children", pid, pid);
    AUTO_FREE char *line = xasprintf("%d (x) S %d 1 1 0 -1 0 0 0 0 0 1 1 0 0 20 0 1 0 0 0 10 0\n",
                                     pid, parent);
    AUTO_FREE char *text = xasprintf("rchar: 1\nwchar: 2\nread_bytes: %lld\nwrite_bytes: %lld\n"
                                     "cancelled_write_bytes: 0\n",
                                     (long long)read, (long long)written);
    put(stat, line);
    put(io, text);
    put(task, children);
}

/* Its stat as it reads from then on: nothing. */
static void end_process(int pid)
{
    AUTO_FREE char *stat = xasprintf("/proc/%d/stat", pid);
    put(stat, "");
}

static void test_tree_io(void)
{
    struct usage u;
    put_process(500, 1, "501 502 ", 1000, 10);
    put_process(501, 500, "", 200, 2);
    put_process(502, 500, "503 ", 30, 3);
    put_process(503, 502, "", 4, 4);
    struct usage_probe *p = usage_probe_new(root, 500, NULL);
    usage_probe_sample(p, 1000, &u);
    ok(u.pids == 4 && u.io_read_bytes == 1234 && u.io_write_bytes == 19, "disks, of the whole tree");
    end_process(501);
    put_process(500, 1, "502 ", 1200, 12);
    usage_probe_sample(p, 2000, &u);
    ok(u.pids == 3 && u.io_read_bytes == 1234, "what a child did is its parent's, and not twice there");
    end_process(502);
    put_process(503, 1, "", 4, 4);
    put_process(500, 1, "", 1200, 12);
    usage_probe_sample(p, 3000, &u);
    is_int(u.io_read_bytes, 1234, "it does not fall while a parent has not waited yet");
    put_process(500, 1, "", 1330, 15);
    usage_probe_sample(p, 4000, &u);
    is_int(u.io_read_bytes, 1334, "nor is it added to what is shown");
    end_process(503);
    usage_probe_sample(p, 5000, &u);
    ok(u.pids == 1 && u.io_read_bytes == 1334 && u.io_write_bytes == 19,
       "nor when somebody else waited for it");
    put_process(500, 1, "", 2330, 15);
    usage_probe_sample(p, 6000, &u);
    is_int(u.io_read_bytes, 2334, "and goes on from there");
    put_process(500, 1, "", 5000, 15);
    usage_probe_sample(p, 17000, &u);
    is_int(u.io_read_bytes, 5004, "of an older one");
    put_process(500, 1, "", 9000, 15);
    usage_probe_sample(p, 18000, &u);
    is_int(u.io_read_bytes, 5004, "it is read rarely");
    usage_probe_sample(p, 27000, &u);
    ok(u.io_read_bytes == 9004 && u.pressure_cpu < 0, "but read; pressure is not known");
    usage_probe_free(p);
    put_process(600, 1, "", 1, 1);
    AUTO_FREE char *io = xasprintf("%s/proc/600/io", root);
    unlink(io);
    p = usage_probe_new(root, 600, NULL);
    ok(usage_probe_sample(p, 1000, &u) && u.io_read_bytes == -1, "a kernel that does not count it");
    usage_probe_free(p);
}

static void test_stats(void)
{
    struct usage_last last = { 0 };
    struct usage u = { 0 };
    json_t *reply = json_loads(
        "{\"cpu_stats\":{\"cpu_usage\":{\"total_usage\":1000000000},"
        "\"throttling_data\":{\"periods\":10,\"throttled_periods\":1}},"
        "\"blkio_stats\":{\"io_service_bytes_recursive\":[{\"op\":\"read\",\"value\":7},"
        "{\"op\":\"Read\",\"value\":1},{\"op\":\"Write\",\"value\":9},{\"op\":\"Total\"}]},"
        "\"memory_stats\":{\"usage\":1000,\"limit\":2000,\"stats\":{\"inactive_file\":100}},"
        "\"pids_stats\":{\"current\":3}}", 0, NULL);
    usage_from_stats(reply, 1000, &last, &u);
    ok(u.known && u.memory_bytes == 900 && u.memory_limit_bytes == 2000 && u.pids == 3 &&
       u.cpu_percent < 0, "the engine's stats");
    json_integer_set(json_object_get(json_object_get(json_object_get(reply, "cpu_stats"),
                                                     "cpu_usage"), "total_usage"), 1100000000);
    usage_from_stats(reply, 2000, &last, &u);
    ok(u.cpu_percent > 9.9 && u.cpu_percent < 10.1, "a rate from two of them");
    ok(u.io_read_bytes == 8 && u.io_write_bytes == 9, "disks");
    ok(usage_stats_interval_ms(1) == 2000 && usage_stats_interval_ms(20) == 10000 &&
       usage_stats_interval_ms(10000) == 60000, "the more there are, the more rarely each is asked");
    json_t *empty = json_object();
    usage_from_stats(empty, 3000, &last, &u);
    ok(!u.known, "nothing from a container that does not run");
    json_decref(empty);
    json_decref(reply);
}

static void test_self(void)
{
    struct self_usage self;
    struct host_usage host = { 0 };
    usage_self(&self);
    ok(self.rss_anon_bytes > 0 && self.rss_anon_bytes < 100 << 20, "our own memory: %lld",
       (long long)self.rss_anon_bytes);
    usage_host(&host);
    usage_host(&host);
    ok(host.cpus > 0 && host.memory_total > host.memory_used && host.memory_used > 0,
       "the machine's");
    ok(host.cpu_percent >= 0 && host.cpu_percent <= 100, "and its load");
}

int main(void)
{
    tap_deadline(30);
    if (!mkdtemp(root))
        return 1;
    test_v1();
    test_v2();
    test_tree();
    test_tree_io();
    test_stats();
    test_self();
    AUTO_FREE char *clean = xasprintf("rm -rf %s", root);
    ok(system(clean) == 0, "cleaned up");
    return done_testing();
}
