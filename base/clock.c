#include "base/clock.h"

#include <stdio.h>
#include <time.h>

#include "base/units.h"

int64_t clock_host_ns(void)
{
    struct timespec now = {0};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

int64_t clock_utc_us(void)
{
    struct timespec now = {0};
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

void clock_utc_text(int64_t utc_us, char text[CLOCK_TEXT_SIZE])
{
    int64_t seconds = utc_us / 1000000;
    int64_t rest_us = utc_us % 1000000;
    if (rest_us < 0) {
        rest_us += 1000000;
        seconds--;
    }
    time_t time_s = (time_t)seconds;
    struct tm parts = {0};
    gmtime_r(&time_s, &parts);
    char whole[24];
    strftime(whole, sizeof whole, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(text, CLOCK_TEXT_SIZE, "%s.%06dZ", whole, (int)rest_us);
}
