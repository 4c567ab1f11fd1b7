/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rules about what a server does not reach: names, addresses, and peers whose certificates it does
 * not accept. */
#include "diagnose/words_rules.h"

#include <string.h>
#include "base/mem.h"

static const char *network_of(const struct symptoms *s)
{
    return s->plan->network_mode ? s->plan->network_mode : "";
}

/* Of an address of a network that is not there; of ::1, too, where that is missing. */
static const char unassigned[] = "cannot assign requested address";

/* ---- connections ------------------------------------------------------------------------- */

static bool looks_here(const struct match *m)
{
    static const char *const here[] = { "127.0.0.1", "localhost", "::1", NULL };
    if (words_have(m->line, here))
        return true;
    for (size_t i = 0; i < m->s->config->args.n; i++)
        if (words_have(m->s->config->args.v[i], here))
            return true;
    return false;
}

static bool on_the_host(const struct match *m)
{
    static const char *const proxies[] = { "HTTPS_PROXY", "https_proxy", "HTTP_PROXY",
                                           "http_proxy", "ALL_PROXY", "all_proxy" };
    if (m->s->was_ready || !m->s->end)
        return false;
    struct finding *f = words_told(m, FIND_NETWORK_FAILED, true, looks_here(m)
                                   ? "what it looks for on this machine does not answer"
                                   : "it does not get through to the network");
    for (size_t i = 0; i < ARRAY_LEN(proxies); i++)
        if (kvvec_get(&m->s->config->env, proxies[i])) {
            finding_evidence(f, "config", 0, "its env sets %s", proxies[i]);
            finding_step(f, "is the proxy right that %s in its env names?", proxies[i]);
            return true;
        }
    finding_step(f, looks_here(m) ? "start that, or correct its address in args or env"
                 : "does this machine reach it? DNS, proxy (HTTPS_PROXY) and firewall decide");
    return true;
}

static void on_localhost(const struct match *m)
{
    struct finding *f = words_told(m, FIND_NETWORK_BLOCKED, true,
                                   "it looks for something on localhost, which in a container is "
                                   "the container itself");
    finding_step(f, "let it use host.docker.internal or the host's address");
    fix_network(f, m->s, "host");
}

/* A container without a network still has its own localhost, and only that can refuse: unless a
 * resolver is asked, which there is none either. */
static bool without_a_network(const struct match *m)
{
    static const char *const refusals[] = { "econnrefused", "connection refused", NULL };
    static const char *const resolver[] = { "lookup", "dns", ":53", "getaddrinfo", NULL };
    bool nobody = words_have(m->line, refusals) ||
        (strcasestr(m->line, unassigned) && looks_here(m));
    if (nobody && !words_have(m->line, resolver)) {
        if (m->s->end)
            on_localhost(m);
        return m->s->end != NULL;
    }
    struct finding *f = words_told(m, FIND_NETWORK_BLOCKED, false, "it needs the network, and its "
                                   "container has none (network_mode none)");
    finding_evidence(f, "plan", 0, "network_mode is none: %s",
                     plan_why(m->s->plan, "network_mode"));
    fix_network(f, m->s, "bridge");
    return true;
}

bool network_failed(const struct match *m)
{
    const char *mode = network_of(m->s);
    bool none = strcmp(mode, "none") == 0;
    if (strcasestr(m->line, unassigned) && !(words_boxed(m) && none) && !looks_here(m))
        return false;                /* it wanted to listen on it, for all that is known */
    if (!words_boxed(m))
        return on_the_host(m);
    if (none)
        return without_a_network(m);
    if (strcmp(mode, "host") == 0 || !m->s->end)
        return false;                /* a server that goes on may have lost one of many peers */
    if (looks_here(m)) {
        on_localhost(m);
        return true;
    }
    struct finding *f = words_told(m, FIND_NETWORK_BLOCKED, true,
                                   "it does not get through to the network");
    finding_evidence(f, "plan", 0, "network_mode is %s", mode);
    finding_step(f, "does the engine's machine reach it? its DNS, proxy and firewall decide");
    if (strcmp(mode, "bridge") != 0)
        fix_network(f, m->s, "bridge");
    fix_network(f, m->s, "host");
    return true;
}

/* ---- certificates ------------------------------------------------------------------------ */

bool network_certificate(const struct match *m)
{
    /* No other CA would make these good. */
    static const char *const peers_own[] = {
        "expired", "not yet valid", "hostname mismatch", "not valid for", "does not match",
        "alternative", "altname", NULL };
    if (words_have(m->line, peers_own))
        return false;
    struct finding *f = words_told(m, FIND_CUSTOM_CA, true, words_boxed(m)
                                   ? "certificates are not accepted in the container: something on "
                                     "the way uses a CA of its own"
                                   : "certificates are not accepted: something on the way uses a "
                                     "CA of its own");
    if (words_boxed(m) && m->s->ca_bundle)
        fix_ca(f, m->s);
    else
        finding_step(f, "point SSL_CERT_FILE and NODE_EXTRA_CA_CERTS in env to the CA's bundle");
    if (strcasestr(m->line, "certification path") || strcasestr(m->line, "pkix"))
        finding_step(f, "Java has a store of its own: keytool -importcert, and "
                        "JAVA_TOOL_OPTIONS=-Djavax.net.ssl.trustStore=FILE in env");
    return true;
}
