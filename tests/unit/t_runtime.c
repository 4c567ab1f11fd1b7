/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which image family a command belongs to, and which command lines are container clients in
 * disguise. */
#include <string.h>
#include "base/buf.h"
#include "base/mem.h"
#include "isolation/runtime.h"
#include "tap.h"

static const struct {
    const char *command, *name, *key, *image, *cache;
} runtimes[] = {
    /* the guide's */
    {"uvx", "python", "uvx", "python:3.11", "/root/.cache/uv"},
    {"npx", "node", "npx", "node:20", "/root/.npm"},
    {"python", "python", "python", "python:3.11", NULL},
    {"node", "node", "node", "node:20", NULL},
    /* and what existing users have */
    {"python3", "python", "python3", "python:3.11", NULL},
    {"/usr/bin/python3.12", "python", "python3.12", "python:3.12", NULL},
    {"pip", "python", "pip", "python:3.11", "/root/.cache/pip"},
    {"pipx", "python", "pipx", "python:3.11", "/root/.cache/pipx"},
    {"uv", "python", "uv", "ghcr.io/astral-sh/uv:python3.11-bookworm-slim", "/root/.cache/uv"},
    {"/opt/homebrew/bin/npx", "node", "npx", "node:20", "/root/.npm"},
    {"npm", "node", "npm", "node:20", "/root/.npm"},
    {"yarn", "node", "yarn", "node:20", "/root/.npm"},
    {"pnpm", "node", "pnpm", "node:20", "/root/.npm"},
    {"bunx", "node", "bunx", "oven/bun:1", "/root/.bun/install/cache"},
    {"bun", "node", "bun", "oven/bun:1", "/root/.bun/install/cache"},
    {"deno", "deno", "deno", "denoland/deno:debian", "/deno-dir"},
    {"go", "go", "go", "golang:1.21-alpine", "/go/pkg/mod"},
    {"cargo", "rust", "cargo", "rust:1.75-slim", NULL},
    {"ruby", "ruby", "ruby", "ruby:3.2-alpine", NULL},
    {"composer", "php", "composer", "php:8.2-cli-alpine", NULL},
    {"/bin/sh", "shell", "sh", "alpine:3.18", NULL},
    {"node.exe", "node", "node", "node:20", NULL},
    {"my-server", "other", "binary", "alpine:3.18", NULL},
    {"", "other", "binary", "alpine:3.18", NULL},
    {"/", "other", "binary", "alpine:3.18", NULL},
    {"pythonic", "other", "binary", "alpine:3.18", NULL},
};

static void test_runtimes(void)
{
    for (size_t i = 0; i < ARRAY_LEN(runtimes); i++) {
        const struct runtime *rt = runtime_detect(runtimes[i].command);
        is_str(rt->name, runtimes[i].name, "\"%s\": the runtime", runtimes[i].command);
        is_str(rt->command, runtimes[i].key, "\"%s\": the key", runtimes[i].command);
        is_str(rt->default_image, runtimes[i].image, "\"%s\": the image", runtimes[i].command);
        is_str(rt->cache_path, runtimes[i].cache, "\"%s\": the cache", runtimes[i].command);
    }
}

static const struct {
    const char *client;
    const char *words[10];
} lines[] = {
    {"docker", {"docker", "run", "-i", "--rm", "mcp-image:latest"}},
    {"docker", {"/usr/local/bin/docker", "run"}},
    {"docker", {"docker.exe", "run"}},
    {"podman", {"podman", "run"}},
    {"nerdctl", {"nerdctl", "run"}},
    {"docker-compose", {"docker-compose", "run", "x"}},
    {"docker", {"sh", "-c", "docker run -i x"}},
    {"docker", {"/bin/bash", "-lc", "exec docker run -i x"}},
    {"docker", {"bash", "-l", "-e", "-o", "pipefail", "-c", "docker run -i x | cat"}},
    {"docker", {"sh", "-c", "cd /tmp && X=1 docker run -i x"}},
    {"docker", {"sh", "-c", "TOKEN='a b' \"docker\" run"}},
    {"docker", {"sh", "-c", "# a comment\nif true; then docker run x; fi"}},
    {"docker", {"sh", "-c", "(docker run x)"}},
    {"podman", {"sh", "-c", "exec sudo -u me podman run x"}},
    {"docker", {"sh", "-c", "sh -c 'docker run x'"}},
    {"docker", {"env", "docker", "run"}},
    {"docker", {"env", "-i", "A=b", "C=d", "docker", "run"}},
    {"docker", {"env", "-u", "HOME", "--chdir", "/tmp", "--", "X=y", "docker"}},
    {"docker", {"env", "-S", "docker run -i x"}},
    {"docker", {"/usr/bin/env", "--split-string=docker run"}},
    {"docker", {"sudo", "-n", "-u", "root", "docker", "run"}},
    {"docker", {"sudo", "-uroot", "--group=x", "DOCKER_HOST=unix:///x", "docker"}},
    {"docker", {"doas", "docker"}},
    {"docker", {"nice", "-n", "10", "docker"}},
    {"docker", {"nice", "-10", "docker"}},
    {"docker", {"nohup", "docker", "run"}},
    {"docker", {"timeout", "-k", "5", "30s", "docker", "run"}},
    {"docker", {"timeout", "--signal=KILL", "30s", "docker", "run"}},
    {"docker", {"setsid", "-w", "stdbuf", "-o", "L", "docker", "run"}},
    {"docker", {"busybox", "sh", "-c", "docker run"}},

    {NULL, {"uvx", "mcp-server-docker"}},
    {NULL, {"npx", "-y", "docker-mcp"}},
    {NULL, {"npx", "docker"}},
    {NULL, {"/opt/docker/bin/server"}},
    {NULL, {"dockerize", "run"}},
    {NULL, {"sh", "-c", "echo docker run"}},
    {NULL, {"sh", "-c", "echo 'a; docker run'"}},
    {NULL, {"sh", "-c", "echo \"a && docker run\""}},
    {NULL, {"sh", "-c", "exec uvx x # docker run"}},
    {NULL, {"sh", "-c"}},
    {NULL, {"sh", "docker"}},
    {NULL, {"bash", "script.sh", "-c", "docker run"}},
    {NULL, {"env", "-u", "docker", "uvx"}},
    {NULL, {"env", "-S"}},
    {NULL, {"sudo", "-u", "docker", "uvx"}},
    {NULL, {"sudo"}},
    {NULL, {"timeout", "docker"}},
    {NULL, {"A=b"}},
    {NULL, {"env", "A=docker"}},
    {NULL, {""}},
};

static void test_clients(void)
{
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        AUTO_STRVEC struct strvec args = {0};
        AUTO_BUF struct buf shown = BUF_INIT;
        for (size_t k = 0; lines[i].words[k]; k++) {
            buf_printf(&shown, " %s", lines[i].words[k]);
            if (k > 0)
                strvec_add(&args, lines[i].words[k]);
        }
        for (char *c = shown.data; *c; c++)
            *c = *c == '\n' || *c == '#' ? ' ' : *c;
        is_str(runtime_container_client(lines[i].words[0], &args), lines[i].client, "%s",
               buf_str(&shown) + 1);
    }
}

/* A command inside a command inside …: bounded. */
static void test_nesting(void)
{
    AUTO_STRVEC struct strvec args = {0};
    for (int i = 0; i < 10000; i++)
        strvec_add(&args, "nohup");
    strvec_add(&args, "docker");
    is_str(runtime_container_client("nohup", &args), NULL,
           "10,000 wrappers end the search, not the stack");
}

int main(void)
{
    tap_deadline(30);
    test_runtimes();
    test_clients();
    test_nesting();
    return done_testing();
}
