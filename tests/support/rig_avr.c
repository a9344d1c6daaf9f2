/* A board that is not ours: runs the firmware of an Arduino (Intel hex or ELF) in simavr,
 * its serial line on a pseudo-terminal, its analog inputs at known voltages. Prints the
 * path of the terminal. Test tool only: libsimavr is GPL-3. usage: rig_avr FIRMWARE MCU
 * SECONDS input A<n> stands at 500 mV + n * 400 mV; A0 moves: +-400 mV, 0.5 Hz, triangle
 * The simulated time runs at most as fast as the real one, often slower. */
#define _DEFAULT_SOURCE /* openpty, cfmakeraw are no POSIX */
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <simavr/avr_adc.h>
#include <simavr/avr_uart.h>
#include <simavr/sim_avr.h>
#include <simavr/sim_elf.h>
#include <simavr/sim_hex.h>
#include <simavr/sim_irq.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum {
    CLOCK_HZ = 16000000,
    SLICE_CYCLES = 8000, /* half a millisecond */
    SUPPLY_MV = 5000,
    INPUT_COUNT = 16
};

struct board {
    avr_t *avr;
    int line; /* our end of the terminal */
    bool may_receive;
    avr_irq_t *receive;
    avr_irq_t *inputs[INPUT_COUNT];
};

static void byte_sent(struct avr_irq_t *irq, uint32_t value, void *user)
{
    const struct board *board = user;
    const uint8_t byte = (uint8_t)value;
    (void)irq;
    /* Nobody reads: the byte is lost, as on a real line. */
    ssize_t count = write(board->line, &byte, 1);
    (void)count;
}

static void receiver_ready(struct avr_irq_t *irq, uint32_t value, void *user)
{
    (void)irq;
    (void)value;
    ((struct board *)user)->may_receive = true;
}

static void receiver_full(struct avr_irq_t *irq, uint32_t value, void *user)
{
    (void)irq;
    (void)value;
    ((struct board *)user)->may_receive = false;
}

static bool firmware_read(const char *path, elf_firmware_t *firmware)
{
    const char *dot = strrchr(path, '.');
    memset(firmware, 0, sizeof *firmware);
    if (!dot || strcmp(dot, ".hex") != 0) {
        return elf_read_firmware(path, firmware) == 0;
    }
    uint32_t size = 0;
    uint32_t start = 0;
    firmware->flash = read_ihex_file(path, &size, &start);
    firmware->flashsize = size;
    firmware->flashbase = start;
    return firmware->flash != NULL;
}

static bool avr_start(struct board *board, const char *path, const char *mcu)
{
    elf_firmware_t firmware;
    if (!firmware_read(path, &firmware)) {
        return false;
    }
    firmware.frequency = CLOCK_HZ;
    board->avr = avr_make_mcu_by_name(mcu);
    if (!board->avr) {
        return false;
    }
    avr_init(board->avr);
    avr_load_firmware(board->avr, &firmware);
    board->avr->frequency = CLOCK_HZ;
    board->avr->vcc = SUPPLY_MV;
    board->avr->avcc = SUPPLY_MV;
    board->avr->aref = SUPPLY_MV;
    return true;
}

static void line_attach(struct board *board)
{
    avr_t *avr = board->avr;
    uint32_t flags = 0;
    avr_ioctl(avr, AVR_IOCTL_UART_GET_FLAGS('0'), &flags);
    flags &= ~(uint32_t)(AVR_UART_FLAG_STDIO | AVR_UART_FLAG_POLL_SLEEP);
    avr_ioctl(avr, AVR_IOCTL_UART_SET_FLAGS('0'), &flags);
    board->receive = avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_INPUT);
    avr_irq_register_notify(avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_OUTPUT),
                            byte_sent, board);
    avr_irq_register_notify(
        avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_OUT_XON), receiver_ready,
        board);
    avr_irq_register_notify(
        avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_OUT_XOFF), receiver_full,
        board);
    for (int i = 0; i < INPUT_COUNT; i++) {
        board->inputs[i] = avr_io_getirq(avr, AVR_IOCTL_ADC_GETIRQ, ADC_IRQ_ADC0 + i);
    }
}

static double board_time_s(const struct board *board)
{
    return (double)board->avr->cycle / CLOCK_HZ;
}

static void inputs_set(const struct board *board)
{
    double turn = board_time_s(board) * 0.5;
    turn -= (double)(int64_t)turn;
    double triangle = turn < 0.5 ? 4.0 * turn - 1.0 : 3.0 - 4.0 * turn;
    for (int i = 0; i < INPUT_COUNT; i++) {
        int millivolt = 500 + 400 * i % 4400 + (i == 0 ? (int)(400.0 * triangle) : 0);
        if (board->inputs[i]) {
            avr_raise_irq(board->inputs[i], (uint32_t)millivolt);
        }
    }
}

static double host_time_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static bool slice_run(struct board *board)
{
    avr_cycle_count_t until = board->avr->cycle + SLICE_CYCLES;
    while (board->avr->cycle < until) {
        int state = avr_run(board->avr);
        if (state == cpu_Done || state == cpu_Crashed) {
            return false;
        }
    }
    uint8_t byte;
    if (board->may_receive && read(board->line, &byte, 1) == 1) {
        avr_raise_irq(board->receive, byte);
    }
    inputs_set(board);
    return true;
}

int main(int argc, char **argv)
{
    struct board board = {.may_receive = true};
    char path[128];
    int slave = -1;
    struct termios raw;
    memset(&raw, 0, sizeof raw);
    cfmakeraw(&raw);
    if (argc != 4 || !avr_start(&board, argv[1], argv[2])) {
        fputs("usage: rig_avr FIRMWARE MCU SECONDS\n", stderr);
        return 2;
    }
    if (openpty(&board.line, &slave, path, &raw, NULL) != 0) {
        perror("rig_avr: openpty");
        return 2;
    }
    fcntl(board.line, F_SETFL, O_NONBLOCK);
    line_attach(&board);
    printf("%s\n", path);
    fflush(stdout);
    double start_s = host_time_s();
    double limit_s = atof(argv[3]);
    while (host_time_s() - start_s < limit_s) {
        if (!slice_run(&board)) {
            fputs("rig_avr: the processor stopped\n", stderr);
            return 2;
        }
        double ahead_s = board_time_s(&board) - (host_time_s() - start_s);
        if (ahead_s > 0.0) {
            poll(NULL, 0, (int)(ahead_s * 1e3) + 1);
        }
    }
    fprintf(stderr, "rig_avr: %.2f s of the board in %.2f s\n", board_time_s(&board),
            limit_s);
    return 0;
}
