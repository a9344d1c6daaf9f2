/* One function per command of the program; each reads its own options, prints its own
 * results and returns an exit code of base/status.h. Main thread only. */
#ifndef LIMBER_APP_COMMAND_H
#define LIMBER_APP_COMMAND_H

/* @param argv  argv[0] is the command's name. */
typedef int command_fn(int argc, char **argv);

command_fn command_demo;
command_fn command_devices;
command_fn command_decode;
command_fn command_protocols;
command_fn command_assess;
command_fn command_recover;
command_fn command_analyse;
command_fn command_metrics;
command_fn command_report;
command_fn command_export;
command_fn command_verify;
command_fn command_audit;

#endif
