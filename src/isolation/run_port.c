/* SPDX-License-Identifier: GPL-3.0-or-later */
/* -p: [[IP:]HOST:]CONTAINER[/PROTOCOL], each a port or a range, to ExposedPorts and PortBindings.
 * The long form of it (target=…) is docker's for services and is not taken. */
#include "isolation/run_flag.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"

struct range { long first, last; };

static bool parse_range(const char *s, struct range *ret)
{
    char *end;
    ret->first = ret->last = strtol(s, &end, 10);
    if (end == s || *s == '-' || *s == '+')
        return false;
    if (*end == '-') {
        const char *second = end + 1;
        ret->last = strtol(second, &end, 10);
        if (end == second)
            return false;
    }
    return !*end && ret->first > 0 && ret->last >= ret->first && ret->last <= 65535;
}

struct port { const char *ip, *host, *container, *protocol; };

/* Cuts `copy` up, from its end: an IPv6 address has colons of its own. */
static bool cut(char *copy, struct port *ret)
{
    *ret = (struct port){.ip = "", .host = "", .protocol = "tcp"};
    char *slash = strchr(copy, '/');
    if (slash) {
        *slash = '\0';
        ret->protocol = slash + 1;
    }
    char *colon = strrchr(copy, ':');
    ret->container = colon ? colon + 1 : copy;
    if (!colon)
        return true;
    *colon = '\0';
    char *second = strrchr(copy, ':');
    ret->host = second ? second + 1 : copy;
    if (!second)
        return true;
    *second = '\0';
    size_t n = strlen(copy);
    bool bracketed = n > 2 && copy[0] == '[' && copy[n - 1] == ']';
    if (bracketed)
        copy[n - 1] = '\0';
    ret->ip = copy + bracketed;
    unsigned char bytes[16];
    return inet_pton(bracketed ? AF_INET6 : AF_INET, ret->ip, bytes) == 1;
}

static void bind_port(const struct port *port, long container, long host,
                      const struct run_json *to)
{
    char key[64], number[16] = "";
    snprintf(key, sizeof(key), "%ld/%s", container, port->protocol);
    if (host)
        snprintf(number, sizeof(number), "%ld", host);
    json_t *exposed = json_object_get(to->body, "ExposedPorts");
    json_t *bindings = json_object_get(to->host, "PortBindings");
    if (!exposed)
        json_object_set_new(to->body, "ExposedPorts", exposed = json_object());
    if (!bindings)
        json_object_set_new(to->host, "PortBindings", bindings = json_object());
    json_object_set_new(exposed, key, json_object());
    json_t *list = json_object_get(bindings, key);
    if (!list)
        json_object_set_new(bindings, key, list = json_array());
    json_array_append_new(list, json_pack("{s:s, s:s}", "HostIp", port->ip, "HostPort", number));
}

int run_port_put(const struct run_flag *flag, const char *value, const struct run_json *to,
                 struct fault *f)
{
    (void)flag;
    AUTO_FREE char *copy = xstrdup(value);
    struct port port;
    struct range container, host = {0, 0};
    if (strchr(value, '='))
        return fault_set(f, FAULT_UNSUPPORTED,
                         "\"%.60s\": write [[ip:]host:]container[/protocol]", value);
    bool known = cut(copy, &port) &&
                 (strcmp(port.protocol, "tcp") == 0 || strcmp(port.protocol, "udp") == 0 ||
                  strcmp(port.protocol, "sctp") == 0);
    if (!known || !parse_range(port.container, &container) ||
        (*port.host && (!parse_range(port.host, &host) ||
                        host.last - host.first != container.last - container.first)))
        return fault_set(f, FAULT_INVALID,
                         "\"%.60s\" is no port: write one like \"127.0.0.1:8080:80\"", value);
    for (long i = 0; i <= container.last - container.first; i++)
        bind_port(&port, container.first + i, host.first ? host.first + i : 0, to);
    return 0;
}
