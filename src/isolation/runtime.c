/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which image family a command belongs to: a table, and the guide's own table is its beginning.
 * Pure; must not know the configuration. Whether a command is a container client is client.c's
 * question. */
#include "isolation/runtime.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include "base/mem.h"

#define PYTHON "python:3.11"
#define NODE "node:20"
#define UV_CACHE .cache_volume = "uv-cache", .cache_path = "/root/.cache/uv"
#define PIP_CACHE .cache_volume = "pip-cache", .cache_path = "/root/.cache/pip"
#define NPM_CACHE .cache_volume = "npm-cache", .cache_path = "/root/.npm"
#define GO_CACHE .cache_volume = "go-cache", .cache_path = "/go/pkg/mod"

/* A python3.N exists in no other image than its own version's. */
#define PYTHON_VERSION(v) \
    {.name = "python", .command = "python" v, .family_key = "python", .default_image = "python:" v}

static const struct runtime runtimes[] = {
    {.name = "python",
     .command = "uvx",
     .default_image = PYTHON,
     UV_CACHE,
     .installer = INSTALL_PIP,
     .package = "uv"},
    {.name = "python", .command = "python", .default_image = PYTHON},
    {.name = "python", .command = "python3", .family_key = "python", .default_image = PYTHON},
    {.name = "python", .command = "pip", .default_image = PYTHON, PIP_CACHE},
    {.name = "python", .command = "pip3", .family_key = "pip", .default_image = PYTHON, PIP_CACHE},
    {.name = "python",
     .command = "pipx",
     .default_image = PYTHON,
     .cache_volume = "pipx-cache",
     .cache_path = "/root/.cache/pipx",
     .installer = INSTALL_VENV,
     .package = "pipx"},
    /* Unlike the guide's uvx, nobody expects `uv` in a plain Python image: its own image has it. */
    {.name = "python",
     .command = "uv",
     .default_image = "ghcr.io/astral-sh/uv:python3.11-bookworm-slim",
     UV_CACHE,
     .installer = INSTALL_PIP,
     .package = "uv"},
    PYTHON_VERSION("3.8"), PYTHON_VERSION("3.9"), PYTHON_VERSION("3.10"), PYTHON_VERSION("3.11"),
    PYTHON_VERSION("3.12"), PYTHON_VERSION("3.13"), PYTHON_VERSION("3.14"),
    {.name = "node", .command = "npx", .default_image = NODE, NPM_CACHE},
    {.name = "node", .command = "node", .default_image = NODE},
    {.name = "node", .command = "nodejs", .family_key = "node", .default_image = NODE},
    {.name = "node", .command = "npm", .default_image = NODE, NPM_CACHE},
    {.name = "node",
     .command = "yarn",
     .default_image = NODE,
     NPM_CACHE,
     .installer = INSTALL_NPM,
     .package = "yarn"},
    /* The official image ships no pnpm outside corepack: npm installs it once, into the cache
     * volume. */
    {.name = "node",
     .command = "pnpm",
     .default_image = NODE,
     NPM_CACHE,
     .installer = INSTALL_NPM,
     .package = "pnpm"},
    {.name = "node",
     .command = "pnpx",
     .family_key = "pnpm",
     .default_image = NODE,
     NPM_CACHE,
     .installer = INSTALL_NPM,
     .package = "pnpm"},
    {.name = "node",
     .command = "bun",
     .default_image = "oven/bun:1",
     .cache_volume = "bun-cache",
     .cache_path = "/root/.bun/install/cache",
     .installer = INSTALL_NPM,
     .package = "bun"},
    {.name = "node",
     .command = "bunx",
     .family_key = "bun",
     .default_image = "oven/bun:1",
     .cache_volume = "bun-cache",
     .cache_path = "/root/.bun/install/cache",
     .installer = INSTALL_NPM,
     .package = "bun"},
    {.name = "deno",
     .command = "deno",
     .default_image = "denoland/deno:debian",
     .cache_volume = "deno-cache",
     .cache_path = "/deno-dir",
     .installer = INSTALL_NPM,
     .package = "deno"},
    {.name = "go", .command = "go", .default_image = "golang:1.21-alpine", GO_CACHE},
    {.name = "rust", .command = "cargo", .default_image = "rust:1.75-slim"},
    {.name = "rust", .command = "rustc", .default_image = "rust:1.75-slim"},
    {.name = "ruby", .command = "ruby", .default_image = "ruby:3.2-alpine"},
    {.name = "ruby", .command = "gem", .default_image = "ruby:3.2-alpine"},
    {.name = "php", .command = "php", .default_image = "php:8.2-cli-alpine"},
    {.name = "php", .command = "composer", .default_image = "php:8.2-cli-alpine"},
    {.name = "shell", .command = "sh", .default_image = "alpine:3.18"},
    {.name = "shell", .command = "bash", .default_image = "alpine:3.18"},
    {.name = "other", .command = "binary", .default_image = "alpine:3.18"},
};

const struct runtime *runtime_table(size_t *ret_n)
{
    *ret_n = ARRAY_LEN(runtimes);
    return runtimes;
}

const char *runtime_base_name(const char *command, char *scratch, size_t n)
{
    const char *slash = strrchr(command, '/');
    const char *base = slash ? slash + 1 : command;
    size_t len = strlen(base);
    if (len > 4 && len < n && strcasecmp(base + len - 4, ".exe") == 0) {
        snprintf(scratch, n, "%.*s", (int)(len - 4), base);
        return scratch;
    }
    return base;
}

const struct runtime *runtime_detect(const char *command)
{
    char scratch[64];
    const char *base = runtime_base_name(command, scratch, sizeof(scratch));
    for (size_t i = 0; i < ARRAY_LEN(runtimes); i++)
        if (strcmp(base, runtimes[i].command) == 0)
            return &runtimes[i];
    return &runtimes[ARRAY_LEN(runtimes) - 1];
}
