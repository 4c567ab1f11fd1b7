/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Use of a container as the engine tells it: for engines whose cgroup files cannot be read here. */
#include "docker/stats.h"

#include "docker/engine_internal.h"

static int64_t number(const json_t *object, const char *key)
{
    double n = json_number_value(json_object_get(object, key));
    return n < 0 ? 0 : n < 0x1p63 ? (int64_t)n : INT64_MAX;
}

static int64_t sum(int64_t a, int64_t b)
{
    return __builtin_add_overflow(a, b, &a) ? INT64_MAX : a;
}

/* Docker's own rule (cli, calculateMemUsageUnixNoCache): v1 has total_inactive_file, v2
 * inactive_file. */
static int64_t memory_in_use(const json_t *memory)
{
    const json_t *detail = json_object_get(memory, "stats");
    int64_t usage = number(memory, "usage");
    int64_t cache = json_object_get(detail, "total_inactive_file")
                        ? number(detail, "total_inactive_file")
                        : number(detail, "inactive_file");
    return cache < usage ? usage - cache : usage;
}

int engine_stats_read(const json_t *reply, struct engine_stats *ret)
{
    const json_t *memory = json_object_get(reply, "memory_stats");
    const json_t *cpu = json_object_get(json_object_get(reply, "cpu_stats"), "cpu_usage");
    const char *name;
    json_t *network;

    if (!json_object_get(memory, "usage"))
        return -1;
    *ret = (struct engine_stats){
        .cpu_ns = number(cpu, "total_usage"),
        .memory_bytes = memory_in_use(memory),
        .memory_limit_bytes = number(memory, "limit"),
        .pids = number(json_object_get(reply, "pids_stats"), "current"),
    };
    json_object_foreach(json_object_get(reply, "networks"), name, network) {
        ret->rx_bytes = sum(ret->rx_bytes, number(network, "rx_bytes"));
        ret->tx_bytes = sum(ret->tx_bytes, number(network, "tx_bytes"));
    }
    return 0;
}

struct engine_request *engine_stats_once(struct engine *e, const char *id, engine_reply_fn fn,
                                         void *ctx)
{
    AUTO_BUF struct buf path = BUF_INIT;
    engine_add_path(&path, "/containers/", id, "/stats?stream=false&one-shot=true");
    return engine_call(e, &(struct engine_call){.method = "GET", .path = buf_str(&path)}, fn, ctx);
}
