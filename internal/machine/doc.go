// Package machine observes the machine that a benchmark runs on: what it is, and what it does while
// something is measured. It looks at cores, memory, NVIDIA GPUs, and the processes of others.
//
//	stop := machine.Watch(gpus, own)
//	… // a trial
//	usage := stop()
//
// Nothing in it fails because a machine lacks something. A figure that cannot be found out is 0, and a
// machine without NVML has no GPUs.
package machine
