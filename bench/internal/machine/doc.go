// Package machine observes the machine that a benchmark runs on: what it is, and what it does while
// something is measured. It looks at cores, memory, NVIDIA GPUs, and the processes of others.
//
//	stop := machine.Watch(gpus, own)
//	… // a trial
//	usage := stop()
//
// A machine without NVML has no GPUs. A figure of a [journal.Usage] or a [journal.Machine] that
// cannot be found out is 0.
package machine
