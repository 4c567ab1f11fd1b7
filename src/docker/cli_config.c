/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reads the docker CLI's files; what their keys mean is context.c's and credentials.c's. */
#include "docker/cli_config.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"

enum { CONFIG_MAX_BYTES = 1 << 20 };

char *cli_config_dir(void)
{
    const char *own = getenv("DOCKER_CONFIG"), *home = getenv("HOME");
    if (own && *own)
        return xstrdup(own);
    return home && *home ? xasprintf("%s/.docker", home) : NULL;
}

/* One byte more than allowed tells "full" from "too big". */
static int read_all(int fd, const char *path, size_t max, struct buf *out, struct fault *f)
{
    while (out->len <= max) {
        buf_reserve(out, 4096);
        ssize_t n = read(fd, out->data + out->len, 4096);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fault_set(f, errno, "cannot read %s", path);
        if (n == 0)
            return 0;
        out->len += (size_t)n;
    }
    return fault_set(f, FAULT_TOO_BIG, "%s is over %zu KiB: this is none of docker's files", path,
                     max >> 10);
}

json_t *cli_config_read(const char *path, size_t max, struct fault *f)
{
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    struct buf text = BUF_INIT;
    struct stat st;
    json_t *root = NULL;
    json_error_t e;
    if (fd < 0 || fstat(fd, &st) < 0) {
        fault_set(f, errno, "cannot open %s", path);
        return NULL;
    }
    if (!S_ISREG(st.st_mode)) {
        fault_set(f, FAULT_INVALID, "%s is not a regular file", path);
        return NULL;
    }
    if (st.st_size == 0)
        return json_object();          /* as docker reads it */
    if (read_all(fd, path, max, &text, f) == 0) {
        root = json_loadb(text.data ? text.data : "", text.len, 0, &e);
        if (!json_is_object(root)) {
            /* jansson's own words would quote the file, which may hold secrets. */
            fault_set(f, FAULT_INVALID, "%s is not a JSON object%s (line %d)", path,
                      root ? "" : ": there is a mistake in it", root ? 1 : e.line);
            json_decref(root);
            root = NULL;
        }
    }
    if (text.data)
        explicit_bzero(text.data, text.len);
    buf_fini(&text);
    return root;
}

json_t *cli_config_load(struct fault *f)
{
    struct fault why = FAULT_NONE;
    AUTO_FREE char *dir = cli_config_dir();
    if (!dir)
        return json_object();
    AUTO_FREE char *path = xasprintf("%s/config.json", dir);
    json_t *root = cli_config_read(path, CONFIG_MAX_BYTES, &why);
    if (!root && (why.code == ENOENT || why.code == ENOTDIR))
        return json_object();
    if (!root)
        fault_copy(f, &why);
    return root;
}

int cli_config_proxies(const char *host, struct kvvec *ret, struct fault *f)
{
    static const char *const of[][2] = {
        { "httpProxy", "HTTP_PROXY" }, { "httpsProxy", "HTTPS_PROXY" }, { "noProxy", "NO_PROXY" },
        { "ftpProxy", "FTP_PROXY" }, { "allProxy", "ALL_PROXY" },
    };
    json_t *root = cli_config_load(f);
    if (!root)
        return -1;
    json_t *all = json_object_get(root, "proxies"), *own = json_object_get(all, host);
    json_t *one = own ? own : json_object_get(all, "default");
    *ret = (struct kvvec){ 0 };
    for (size_t i = 0; i < ARRAY_LEN(of); i++) {
        const char *value = json_string_value(json_object_get(one, of[i][0]));
        if (!value || !*value)
            continue;
        AUTO_FREE char *small = xstrdup(of[i][1]);
        for (char *c = small; *c; c++)
            *c = (char)tolower((unsigned char)*c);
        kvvec_set(ret, of[i][1], value);
        kvvec_set(ret, small, value);
    }
    json_decref(root);
    return 0;
}
