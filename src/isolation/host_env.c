/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which of the supervisor's variables a server on the host gets. An allow-list, because a shell's
 * environment is full of other programs' tokens; the rows are what the usual launchers (npx, uvx,
 * pipx, docker) need to find their tools, caches, proxies and certificates. What is missing for one
 * server goes into its `env`: "NAME": "${env:NAME}". */
#include "isolation/host_env.h"

#include <string.h>
#include "base/mem.h"

/* A name, or with '*' at the end a beginning. */
static const char *const allowed[] = {
    /* who and where */
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM", "TZ", "TMPDIR", "XDG_*",
    /* language */
    "LANG", "LANGUAGE", "LC_*",
    /* reaching the network */
    "HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy",
    "ftp_proxy", "all_proxy", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS",
    "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO",
    /* runtimes and package managers: where they are installed and where packages come from */
    "NPM_CONFIG_*", "npm_config_*", "NODE_PATH", "NVM_DIR", "NVM_BIN", "VOLTA_HOME", "FNM_*",
    "PNPM_HOME", "BUN_INSTALL", "DENO_DIR", "COREPACK_*", "ASDF_*", "MISE_*", "PIP_*", "UV_*",
    "PIPX_*", "PYENV_ROOT", "CONDA_PREFIX", "VIRTUAL_ENV", "GOPATH", "GOROOT", "GOPROXY",
    "CARGO_HOME", "RUSTUP_HOME", "GEM_HOME", "GEM_PATH", "JAVA_HOME",
    /* talking to agents and engines of the same user */
    "SSH_AUTH_SOCK", "DBUS_SESSION_BUS_ADDRESS", "DISPLAY", "WAYLAND_DISPLAY", "DOCKER_HOST",
    "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY",
    "DOCKER_DEFAULT_PLATFORM", "CONTAINER_HOST",
    /* systems whose programs need it to find their libraries */
    "NIX_*", "LOCALE_ARCHIVE",
};

bool host_env_passes(const char *name, size_t n)
{
    for (size_t i = 0; i < ARRAY_LEN(allowed); i++) {
        size_t len = strlen(allowed[i]);
        bool prefix = allowed[i][len - 1] == '*';
        if (prefix ? n >= len - 1 && memcmp(name, allowed[i], len - 1) == 0
                   : n == len && memcmp(name, allowed[i], len) == 0)
            return true;
    }
    return false;
}

void host_env_build(char *const *from, const struct kvvec *own, struct strvec *out)
{
    for (char *const *e = from; e && *e; e++) {
        const char *eq = strchr(*e, '=');
        if (!eq || !host_env_passes(*e, (size_t)(eq - *e)))
            continue;
        AUTO_FREE char *name = xstrndup(*e, (size_t)(eq - *e));
        if (!kvvec_get(own, name))
            strvec_add(out, *e);
    }
    for (size_t i = 0; i < own->n; i++)
        strvec_addf(out, "%s=%s", own->v[i].key, own->v[i].value);
}
