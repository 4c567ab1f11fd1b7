/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pull: references, progress over layers, refusals in words, statistics. */
#include "docker/pull.h"

#include <errno.h>

#include "base/mem.h"
#include "docker/stats.h"
#include "tap.h"

static void split(const char *image, const char *name, const char *tag)
{
    const char *got;
    AUTO_FREE char *n = pull_split_reference(image, &got);
    is_str(n, name, "%s: name", image);
    is_str(got, tag, "%s: tag", image);
}

static bool line(struct pull_progress *p, const char *s)
{
    return pull_progress_line(p, s, strlen(s));
}

static void is_text(const struct pull_progress *p, const char *want, int64_t done, int64_t total)
{
    char text[40];
    int64_t d, t;
    is_str(pull_progress_text(p, text, sizeof(text), &d, &t), want, "\"%s\"", want);
    ok(d == done && t == total, "%lld of %lld bytes", (long long)d, (long long)t);
}

static void test_progress(void)
{
    struct pull_progress p = {0};
    is_text(&p, "", 0, 0);
    ok(!line(&p, "{\"status\":\"Pulling from library/python\",\"id\":\"3.11\"}"),
       "the tag is no layer");
    line(&p, "{\"status\":\"Pulling fs layer\",\"progressDetail\":{},\"id\":\"aaa\"}");
    line(&p, "{\"status\":\"Pulling fs layer\",\"progressDetail\":{},\"id\":\"bbb\"}");
    line(&p, "{\"status\":\"Already exists\",\"progressDetail\":{},\"id\":\"ccc\"}");
    is_text(&p, "layer 1/3", 0, 0);
    line(
        &p,
        "{\"status\":\"Downloading\",\"progressDetail\":{\"current\":50,\"total\":100},\"id\":\"aaa\"}");
    is_text(&p, "layer 1/3 50%", 50, 100);
    line(
        &p,
        "{\"status\":\"Downloading\",\"progressDetail\":{\"current\":100,\"total\":300},\"id\":\"bbb\"}");
    line(&p, "{\"status\":\"Download complete\",\"progressDetail\":{},\"id\":\"aaa\"}");
    is_text(&p, "layer 1/3 50%", 200, 400);
    line(
        &p,
        "{\"status\":\"Extracting\",\"progressDetail\":{\"current\":1,\"total\":100},\"id\":\"aaa\"}");
    line(&p, "{\"status\":\"Pull complete\",\"progressDetail\":{},\"id\":\"aaa\"}");
    line(&p, "{\"status\":\"Pull complete\",\"progressDetail\":{},\"id\":\"bbb\"}");
    is_text(&p, "layer 3/3 100%", 400, 400);
    ok(!line(&p, "{\"status\":\"Digest: sha256:x\"}") && !line(&p, "rubbish") && !line(&p, "[]"),
       "other lines change nothing");
    line(&p, "{\"errorDetail\":{\"message\":\"unauthorized: x\"},\"error\":\"unauthorized: x\"}");
    is_str(p.error, "unauthorized: x", "a refusal in the stream");

    struct pull_progress many = {0};
    for (int i = 0; i < 1000; i++) {
        AUTO_FREE char *s = xasprintf("{\"status\":\"Waiting\",\"id\":\"%d\"}", i);
        line(&many, s);
    }
    is_int(many.count, PULL_MAX_LAYERS, "layers are bounded");
    line(
        &many,
        "{\"status\":\"Downloading\",\"progressDetail\":{\"current\":9,\"total\":-1},\"id\":\"1\"}");
    is_text(&many, "layer 0/128 100%", 9, 9);
    int64_t done, total;
    char text[64];
    for (int i = 0; i < PULL_MAX_LAYERS; i++) {
        AUTO_FREE char *s = xasprintf("{\"status\":\"Downloading\",\"progressDetail\":{\"current\":"
                                      "%d,\"total\":9223372036854775807},\"id\":\"%d\"}", -i, i);
        line(&many, s);
    }
    pull_progress_text(&many, text, sizeof(text), &done, &total);
    ok(done == 0 && total > 0, "sizes that no image has: %s", text);
}

static void test_stats(void)
{
    struct engine_stats s;
    json_t *root = json_loads(
        "{\"memory_stats\":{\"usage\":1000,\"limit\":5000,\"stats\":{\"inactive_file\":300}},\"cpu_stats\":"
        "{\"cpu_usage\":{\"total_usage\":77}},\"pids_stats\":{\"current\":3},\"networks\":{\"eth0\":"
        "{\"rx_bytes\":1,\"tx_bytes\":2},\"eth1\":{\"rx_bytes\":10,\"tx_bytes\":20}}}",
        0, NULL);
    is_int(engine_stats_read(root, &s), 0, "cgroup v2");
    ok(s.memory_bytes == 700 && s.memory_limit_bytes == 5000 && s.cpu_ns == 77 && s.pids == 3,
       "memory without cache, cpu, pids");
    ok(s.rx_bytes == 11 && s.tx_bytes == 22, "all networks");
    json_decref(root);
    root = json_loads(
        "{\"memory_stats\":{\"usage\":1000,\"stats\":{\"inactive_file\":1,\"total_inactive_file\":400}}}",
        0, NULL);
    engine_stats_read(root, &s);
    is_int(s.memory_bytes, 600, "cgroup v1 counts the whole tree");
    json_decref(root);
    root = json_loads("{\"memory_stats\":{},\"cpu_stats\":{}}", 0, NULL);
    is_int(engine_stats_read(root, &s), -1, "a container that does not run");
    is_int(engine_stats_read(NULL, &s), -1, "nothing");
    json_decref(root);
    root = json_loads(
        "{\"memory_stats\":{\"usage\":1e300,\"limit\":-1},\"networks\":{\"a\":{\"rx_bytes\":"
        "9e18},\"b\":{\"rx_bytes\":9e18}}}",
        0, NULL);
    engine_stats_read(root, &s);
    ok(s.memory_bytes == INT64_MAX && s.memory_limit_bytes == 0 && s.rx_bytes == INT64_MAX,
       "numbers beyond all machines");
    json_decref(root);
}

/* As dockerd 20.10 and 27 say it. */
static void test_refusals(void)
{
    static const struct {
        const char *words;
        int code;
    } known[] = {
        {"manifest for python:9 not found: manifest unknown", FAULT_NOT_FOUND},
        {"pull access denied for x, repository does not exist or may require 'docker login': denied",
         FAULT_NOT_FOUND},
        {"unauthorized: authentication required", FAULT_DENIED},
        {"Head \"https://r/v2/x/manifests/1\": no basic auth credentials", FAULT_DENIED},
        {"denied: requested access to the resource is denied", FAULT_DENIED},
        {"Get \"https://x/v2/\": dial tcp: lookup x: no such host", ENETUNREACH},
        {"Get \"https://x/v2/\": dial tcp: lookup x on 1.1.1.1:53: read: i/o timeout", ENETUNREACH},
        {"Get \"http://127.0.0.1:1/v2/\": dial tcp 127.0.0.1:1: connect: connection refused",
         ENETUNREACH},
        {"Get \"https://x/v2/\": x509: certificate signed by unknown authority", ENETUNREACH},
        {"net/http: request canceled while waiting for connection (Client.Timeout exceeded)",
         ENETUNREACH},
        {"toomanyrequests: You have reached your pull rate limit.", EBUSY},
        {"failed to register layer: Error processing tar file(exit status 1): write /x: no space left "
         "on device", ENOSPC},
        {"something else", FAULT_HTTP},
    };
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        is_int(pull_classify(known[i].words), known[i].code, "%s", known[i].words);
}

int main(void)
{
    tap_deadline(20);
    split("python:3.11", "python", "3.11");
    split("python", "python", "latest");
    split("127.0.0.1:5000/a/b", "127.0.0.1:5000/a/b", "latest");
    split("127.0.0.1:5000/a/b:x", "127.0.0.1:5000/a/b", "x");
    split("a@sha256:0123", "a@sha256:0123", "");
    split("a:", "a", "latest");
    test_refusals();
    test_progress();
    test_stats();
    return done_testing();
}
