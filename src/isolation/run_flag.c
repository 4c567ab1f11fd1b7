/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The table of docker run's flags: where each one's value goes. Whatever is not in it is outside
 * the mapping: an error in extra_args, and a reason to run a `docker run` as it is written.
 * A flag that were dropped in silence (--read-only, --cap-drop …) would be isolation that its
 * author believes in and does not have. */
#include "isolation/run_flag.h"

#include <string.h>
#include "base/mem.h"

#define GARBLED "a terminal would garble the protocol (docker: \"the input device is not a TTY\")"
#define FIELD(l, n, fn) {.letter = (l), .name = (n), .apply = (fn)}
#define HOST(l, n, fn, k) {.letter = (l), .name = (n), .put = (fn), .key = (k)}
#define HOST_LIST(l, n, fn, k) {.letter = (l), .name = (n), .put = (fn), .key = (k), .list = true}
#define BODY(l, n, fn, k) {.letter = (l), .name = (n), .put = (fn), .key = (k), .in_body = true}
#define LEFT_OUT(l, n, why) {.letter = (l), .name = (n), .ignored = (why)}

static const struct run_flag flags[] = {
    /* limits */
    FIELD('m', "memory", run_field_memory),
    FIELD(0, "memory-swap", run_field_memory_swap),
    HOST(0, "memory-reservation", run_option_size, "MemoryReservation"),
    FIELD(0, "cpus", run_field_cpus),
    HOST('c', "cpu-shares", run_option_int, "CpuShares"),
    HOST(0, "cpuset-cpus", run_option_text, "CpusetCpus"),
    FIELD(0, "pids-limit", run_field_pids),
    HOST_LIST(0, "ulimit", run_option_ulimit, "Ulimits"),
    HOST(0, "shm-size", run_option_size, "ShmSize"),
    HOST(0, "oom-score-adj", run_option_int, "OomScoreAdj"),
    /* files */
    FIELD('v', "volume", run_mount_volume),
    FIELD(0, "mount", run_mount_mount),
    HOST_LIST(0, "tmpfs", run_option_tmpfs, "Tmpfs"),
    {.name = "read-only", .is_switch = true, .put = run_option_switch, .key = "ReadonlyRootfs"},
    /* environment */
    FIELD('e', "env", run_field_env),
    FIELD(0, "env-file", run_field_env_file),
    FIELD('w', "workdir", run_field_workdir),
    BODY('h', "hostname", run_option_text, "Hostname"),
    BODY(0, "domainname", run_option_text, "Domainname"),
    /* network */
    {.name = "network", .other_name = "net", .apply = run_field_network},
    HOST_LIST(0, "dns", run_option_dns, "Dns"),
    HOST_LIST(0, "dns-search", run_option_list, "DnsSearch"),
    {.name = "dns-option", .other_name = "dns-opt", .put = run_option_list, .key = "DnsOptions",
     .list = true},
    HOST_LIST(0, "add-host", run_option_add_host, "ExtraHosts"),
    {.letter = 'p', .name = "publish", .put = run_port_put, .list = true},
    /* who it is and what it may */
    BODY('u', "user", run_option_text, "User"),
    HOST_LIST(0, "group-add", run_option_list, "GroupAdd"),
    HOST_LIST(0, "cap-add", run_option_cap, "CapAdd"),
    HOST_LIST(0, "cap-drop", run_option_cap, "CapDrop"),
    HOST_LIST(0, "security-opt", run_option_security, "SecurityOpt"),
    {.name = "privileged", .is_switch = true, .put = run_option_switch, .key = "Privileged"},
    HOST(0, "pid", run_option_text, "PidMode"),
    HOST(0, "ipc", run_option_text, "IpcMode"),
    HOST(0, "userns", run_option_text, "UsernsMode"),
    HOST_LIST(0, "sysctl", run_option_map, "Sysctls"),
    HOST_LIST(0, "device", run_option_device, "Devices"),
    HOST_LIST(0, "gpus", run_option_gpus, "DeviceRequests"),
    /* how it runs */
    {.name = "init", .is_switch = true, .apply = run_field_init},
    HOST(0, "runtime", run_option_text, "Runtime"),
    HOST(0, "platform", run_option_platform, NULL),
    FIELD(0, "pull", run_field_pull),
    BODY(0, "entrypoint", run_option_entrypoint, "Entrypoint"),
    {.letter = 'l', .name = "label", .put = run_option_label, .key = "Labels", .in_body = true,
     .list = true},
    BODY(0, "stop-timeout", run_option_int, "StopTimeout"),
    BODY(0, "stop-signal", run_option_text, "StopSignal"),
    FIELD(0, "log-driver", run_field_log_driver),
    FIELD(0, "log-opt", run_field_log_opt),
    /* what is so anyway, and what mcptop does itself */
    {.letter = 'i', .name = "interactive", .is_switch = true, .ignored = ""},
    {.letter = 'a', .name = "attach", .ignored = ""},
    {.letter = 'q', .name = "quiet", .is_switch = true, .ignored = ""},
    {.name = "sig-proxy", .is_switch = true, .ignored = ""},
    {.name = "rm", .is_switch = true, .ignored = ""},
    LEFT_OUT(0, "name", "the name is mcptop's (mcpproxy-SERVER-xxxx): a fixed one would collide "
                        "with its predecessor at a restart"),
    LEFT_OUT(0, "restart", "mcptop itself restarts a server that ended"),
    {.letter = 't', .name = "tty", .is_switch = true, .refused = GARBLED,
     .ignored = "left out: " GARBLED},
    {.letter = 'd', .name = "detach", .is_switch = true,
     .refused = "the server talks over the container's stdin and stdout: leave it out"},
};

const struct run_flag *run_flag_long(const char *name, size_t n)
{
    for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
        const char *const names[] = {flags[i].name, flags[i].other_name};
        for (size_t k = 0; k < ARRAY_LEN(names); k++)
            if (names[k] && strlen(names[k]) == n && strncmp(names[k], name, n) == 0)
                return &flags[i];
    }
    return NULL;
}

const struct run_flag *run_flag_letter(char c)
{
    for (size_t i = 0; i < ARRAY_LEN(flags); i++)
        if (c && flags[i].letter == c)
            return &flags[i];
    return NULL;
}

const struct run_flag *run_flag_table(size_t *ret_n)
{
    *ret_n = ARRAY_LEN(flags);
    return flags;
}
