#include "app/command.h"
int command_protocols(int argc, char **argv){(void)argc;(void)argv;return 0;}
