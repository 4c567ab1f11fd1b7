/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The script that installs a missing runner inside the container. Rules:
 *  - stdin and stdout are the protocol's: the installer gets /dev/null and writes to stderr;
 *  - the kept copy is tried by running it: an image of another libc or processor may have filled
 *    the volume;
 *  - each container installs into a directory of its own and then moves a link, so containers that
 *    share a volume neither wait for nor see each other's halves;
 *  - where the cache cannot be written (an image with another user), the runner lives in the
 *    container only. */
#include "isolation/bootstrap.h"

#define PIP_QUIET \
    "env PIP_BREAK_SYSTEM_PACKAGES=1 PIP_ROOT_USER_ACTION=ignore PIP_DISABLE_PIP_VERSION_CHECK=1 " \
    "PIP_NO_INPUT=1 "

static void add_install(const struct runtime *rt, struct buf *out)
{
    /* --target needs no write access to the image's Python and is not stopped by "externally
     * managed"; a pipx wants its modules, so it gets an environment. */
    switch (rt->installer) {
    case INSTALL_PIP:
        buf_printf(out, PIP_QUIET "python3 -m pip install -q --target \"$t\" %s", rt->package);
        break;
    case INSTALL_VENV:
        buf_printf(out,
                   "{ python3 -m venv \"$t\" && " PIP_QUIET
                   "\"$t/bin/python\" -m pip install -q %s; }",
                   rt->package);
        break;
    case INSTALL_NPM:
        buf_printf(
            out,
            "npm install --silent --no-audit --no-fund --no-update-notifier -g --prefix \"$t\" %s",
            rt->package);
        break;
    case INSTALL_NONE:
        break;
    }
}

void bootstrap_script(const struct runtime *rt, const char *command, const char *dir,
                      struct buf *out)
{
    buf_printf(out,
               "p=%s/.mcptop-%s\n"
               "command -v %s >/dev/null 2>&1 || {\n"
               "  \"$p/bin/%s\" --version >/dev/null 2>&1 </dev/null || {\n"
               "    echo 'mcptop: this image has no %s: installing %s first, once' >&2\n"
               "    t=$(mktemp -d \"$p.XXXXXX\" 2>/dev/null) || t=$(mktemp -d) || exit 127\n"
               "    ",
               dir, rt->package, command, command, command, rt->package);
    add_install(rt, out);
    buf_printf(out,
               " >&2 </dev/null || {\n"
               "      rm -rf \"$t\"\n"
               "      echo 'mcptop: %s could not be installed: use an image that has it "
               "(isolation.image)' >&2\n"
               "      exit 127\n"
               "    }\n"
               "    chmod 755 \"$t\"\n"
               "    case $t in\n"
               "    \"$p\".*) ln -sfn \"$t\" \"$p\" ;;\n"
               "    *) p=$t ;;\n"
               "    esac\n"
               "  }\n"
               "  export PATH=\"$p/bin:$PATH\"\n"
               "}\n"
               "exec \"$@\"",
               rt->package);
}
