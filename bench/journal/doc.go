// Package journal defines what a run records: its file, the lines of the file, and the values that
// they hold. Everything that is shown of a run is made from its journal; see package report.
//
// # Format
//
// A journal is a file of JSON lines. Each line is a [Record]: an object with a single member, whose
// name is the kind of the line, and a checksum.
//
//	header    the settings of the run; the first line
//	engine    an engine opened
//	warm_up   a point was warmed up
//	trial     a point was measured once
//	latency   the requests of a point were timed in one pass
//	limits    the limits of the device were measured
//	failure   something failed
//	begin     something begins that may end the process
//	done      the budget ended a point
//	end       nothing is left to measure
//
// Times are in nanoseconds, sizes in bytes, points in time in UTC. Each line is on disk before the
// run goes on. A crash therefore costs at most the last line, which [Read] leaves out when it is
// damaged.
//
// The checksum, crc32c, is the CRC-32C of the line up to it and of all lines before, in hexadecimal
// digits. A line that is changed, missing, there twice or in another place is therefore an error.
// Version 2 of the format has no checksums; [Read] reads it and sets Journal.Unverified.
//
// # Reading and writing
//
//	j, err := journal.ReadFile("results/now/journal.jsonl")
//	for _, t := range j.Trials {
//		fmt.Println(t.PointID, t.Elapsed)
//	}
//
// bench.Run writes journals, with [Create] and [Continue]. Soak tests have a journal in the same
// manner; see [Soak].
package journal
