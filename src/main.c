#include <stdio.h>

int main(void)
{
    puts("mcptop");
    return 0;
}
