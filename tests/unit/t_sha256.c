/* SPDX-License-Identifier: GPL-3.0-or-later */
/* SHA-256 against the vectors of FIPS 180-4, and at the edges of its blocks. */
#include "base/sha256.h"
#include "base/mem.h"
#include "tap.h"

static void is_hash(const char *text, size_t n, const char *want, const char *what)
{
    uint8_t digest[SHA256_BYTES];
    char hex[SHA256_HEX];

    sha256(text, n, digest);
    is_str(sha256_hex(digest, hex), want, "%s", what);
}

int main(void)
{
    static const char two[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    AUTO_FREE char *million = xmalloc(1000000);

    tap_deadline(20);
    memset(million, 'a', 1000000);
    is_hash("", 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "nothing");
    is_hash("abc", 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", "abc");
    is_hash(two, 56, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
            "56 bytes: the length takes a block of its own");
    is_hash(million, 1000000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
            "a million times a");
    is_hash(million, 55, "9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318",
            "55 times a");
    is_hash(million, 63, "7d3e74a05d7db15bce4ad9ec0658ea98e3f06eeecf16b4c6fff2da457ddc2f34",
            "63 times a");
    is_hash(million, 64, "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb",
            "64 times a");
    is_hash(million, 65, "635361c48bb9eab14198e76ea8ab7f1a41685d6ad62aa9146d301d4f17eb0ae0",
            "65 times a");
    is_hash(million, 119, "31eba51c313a5c08226adf18d4a359cfdfd8d2e816b13f4af952f7ea6584dcfb",
            "119 times a");
    is_hash(million, 120, "2f3d335432c70b580af0e8e1b3674a7c020d683aa5f73aaaedfdc55af904c21c",
            "120 times a");
    return done_testing();
}
