/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Use of a container as the engine tells it: for engines whose cgroup files cannot be read here. */
#include "docker/stats.h"

#include <strings.h>

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

static void read_throttling(const json_t *data, struct engine_stats *ret)
{
    ret->periods = number(data, "periods");
    ret->throttled = number(data, "throttled_periods");
}

/* [{"major":8,"minor":0,"op":"Read","value":4096},…]; cgroup v2 writes "read". Null when no disk
 * was touched. */
static void read_disks(const json_t *list, struct engine_stats *ret)
{
    size_t i;
    const json_t *one;
    ret->read_bytes = ret->write_bytes = json_is_array(list) ? 0 : -1;
    json_array_foreach(list, i, one) {
        const char *op = json_string_value(json_object_get(one, "op"));
        if (op && strcasecmp(op, "read") == 0)
            ret->read_bytes = sum(ret->read_bytes, number(one, "value"));
        else if (op && strcasecmp(op, "write") == 0)
            ret->write_bytes = sum(ret->write_bytes, number(one, "value"));
    }
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
        .memory_peak_bytes = number(memory, "max_usage"),
        .pids = number(json_object_get(reply, "pids_stats"), "current"),
    };
    read_throttling(json_object_get(json_object_get(reply, "cpu_stats"), "throttling_data"), ret);
    read_disks(json_object_get(json_object_get(reply, "blkio_stats"), "io_service_bytes_recursive"),
               ret);
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
