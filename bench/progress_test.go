package bench

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/olekukonko/tablewriter/pkg/twwidth"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"vllmgo/bench/internal/engines"
	"vllmgo/bench/journal"
	"vllmgo/bench/stat"
	"vllmgo/bench/workload"
	"vllmgo/vllmgo"
)

// Engines share the budget by their work: so many steps of 40 units and so many tokens.
func TestBudgetShares(t *testing.T) {
	groups := []engines.Group{
		{Args: vllmgo.EngineArgs{MaxNumSeqs: 8}, Points: []workload.Point{point(1, 100, 10)}},
		{Args: vllmgo.EngineArgs{MaxNumSeqs: 8}, Points: []workload.Point{point(2, 200, 20), point(4, 310, 40)}},
	}
	groups[1].Points[1] = point(1, 350, 10) // 510 and 1240 + 760 units
	p := newProgress(Settings{Stopping: stat.UntilPrecise(0.02, 100*time.Hour)}, groups, &journal.Journal{})
	assert.InDelta(t, 100*510.0/(510+1240+760), time.Until(p.deadline(groups, 0)).Hours(), 0.01)
	assert.InDelta(t, 60*510.0/(510+1240+760), time.Until(p.deadline(groups, 40*time.Hour)).Hours(), 0.01, "the other engine needs as long")
	assert.InDelta(t, 100, time.Until(p.deadline(groups[1:], 40*time.Hour)).Hours(), 0.01)
	assert.Zero(t, newProgress(Settings{Stopping: stat.FixedTrials(1)}, groups, &journal.Journal{}).deadline(groups, 0))
}

// The message of an engine's error does not reach the terminal with its control characters.
func TestProgressIsPlain(t *testing.T) {
	var b strings.Builder
	p := newProgress(Settings{Progress: &b}, nil, &journal.Journal{})
	p.status("%s …", "nothing without a terminal")
	p.line("%s: failed: %v", "a 100 % point", "\x1b[2J")
	assert.Equal(t, "a 100 % point: failed: \\x1b[2J\n", b.String())
	p.bar = drawnOn(&b, 80)
	p.status("%s …", "\x1b]0;title\a")
	assert.Contains(t, b.String(), "\\x1b]0;title\\a …")
	assert.NotContains(t, b.String(), "\a")
}

// watched is a run of one engine of two points, with trials that take a second.
func watched(w *strings.Builder) (*progress, []workload.Point) {
	points := []workload.Point{point(1, 100, 10), point(2, 100, 10)}
	groups := []engines.Group{{Args: vllmgo.EngineArgs{MaxNumSeqs: 8}, Points: points}}
	p := newProgress(Settings{Progress: w, Stopping: stat.FixedTrials(4), WarmUp: journal.WarmUpFull}, groups, &journal.Journal{})
	return p, points
}

// measureAll takes the trials of all points in, each after a second.
func measureAll(p *progress, points []workload.Point) {
	p.loaded(time.Second)
	p.began = p.began.Add(-time.Second)
	for _, point := range points {
		p.pass(point, point.Requests, 8, time.Second)
		p.warmedUp(point)
	}
	times := map[int][]time.Duration{}
	for range 4 {
		for _, point := range points {
			p.began = p.began.Add(-time.Second)
			p.pass(point, point.Requests, 8, time.Second)
			times[point.Value] = append(times[point.Value], time.Second)
			p.trialDone(point, times[point.Value])
		}
	}
	p.finish()
}

// Without a terminal there is a line for each trial. The share that is done grows up to 100 %, and
// the time that is left holds.
func TestProgressLines(t *testing.T) {
	var b strings.Builder
	p, points := watched(&b)
	measureAll(p, points)
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	require.Len(t, lines, 9, b.String())
	assert.Equal(t, "[22 %] batch size 1: 10.0 generated tok/s, 1.00 s; about 7s left", lines[0])
	assert.Equal(t, "[88 %] batch size 1: 10.0 generated tok/s, 1.00 s; about 1s left", lines[6])
	assert.Equal(t, "[99 %] batch size 2: 20.0 generated tok/s, 1.00 s", lines[7])
	assert.Equal(t, "[100 %] done in 9s", lines[8])
	assert.NotContains(t, b.String(), "\x1b")
}

// On a terminal there is one bar, which grows up to 100 % and is never wider than the terminal.
func TestProgressBar(t *testing.T) {
	for _, width := range []int{80, 100, 160} {
		var b strings.Builder
		p, points := watched(&b)
		p.bar = drawnOn(&b, width)
		p.status("a point with a long name, %s …", strings.Repeat("模型🚀 ", 40))
		p.line("engine 1: loaded in 1 s")
		measureAll(p, points)
		before := 0
		for _, match := range regexp.MustCompile(`(\d+)%`).FindAllStringSubmatch(b.String(), -1) {
			percent, err := strconv.Atoi(match[1])
			require.NoError(t, err)
			assert.GreaterOrEqual(t, percent, before)
			before = percent
		}
		assert.Equal(t, 100, before)
		assert.Contains(t, b.String(), "batch size 2: 20.0 tok/s; about 2s left")
		assert.Equal(t, 2, strings.Count(b.String(), "\n"), "the line of the engine, and the end")
		for _, drawn := range strings.FieldsFunc(b.String(), func(r rune) bool { return r == '\r' || r == '\n' }) {
			assert.LessOrEqual(t, twwidth.Width(drawn), width, drawn)
		}
	}
}

// A run that goes on begins where it was.
func TestProgressGoesOn(t *testing.T) {
	points := []workload.Point{point(1, 100, 10), point(2, 100, 10)}
	groups := []engines.Group{{Args: vllmgo.EngineArgs{MaxNumSeqs: 8}, Points: points[1:]}}
	past := &journal.Journal{Trials: make([]journal.Trial, 4)}
	for i := range past.Trials {
		past.Trials[i].PointID = points[0].ID()
	}
	p := newProgress(Settings{Stopping: stat.FixedTrials(4)}, groups, past)
	assert.InDelta(t, 0.5, p.share, 1e-9)
	assert.Zero(t, newProgress(Settings{Stopping: stat.FixedTrials(4)}, groups, &journal.Journal{}).share)
}

// What is left is expected from how wide the intervals are, and a point without any is like the one
// that needs most.
func TestExpectedTrials(t *testing.T) {
	points := []workload.Point{point(1, 100, 10), point(2, 100, 10)}
	groups := []engines.Group{{Args: vllmgo.EngineArgs{MaxNumSeqs: 8}, Points: points}}
	p := newProgress(Settings{Stopping: stat.Stopping{Target: 0.01, MinTrials: 6, MaxTrials: 50}}, groups, &journal.Journal{})
	var times []time.Duration
	for _, ms := range []time.Duration{1000, 1020, 980, 1010, 990, 1000} {
		times = append(times, ms*time.Millisecond)
	}
	p.expect(points[0], times[:5], nil)
	assert.Equal(t, 45, p.left[points[0].ID()].trials, "nothing is known")
	p.expect(points[0], times, nil)
	assert.Equal(t, 18, p.left[points[0].ID()].trials, "2 % is to become 1 %: four times as many")
	p.loaded(0)
	p.pass(points[0], 1, 8, time.Second)
	left, ok := p.timeLeft()
	require.True(t, ok)
	assert.InDelta(t, 18+18, left.Seconds(), 18.1, "the other point has as many")
	p.drop(points[0])
	p.drop(points[1])
	left, _ = p.timeLeft()
	assert.Zero(t, left)
}

// terminal returns a terminal of so many columns, and what was written to it.
func terminal(t *testing.T, width int) (tty *os.File, written func() string) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("no terminals here: ", err)
	}
	t.Cleanup(func() { _ = master.Close() })
	require.NoError(t, unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0))
	require.NoError(t, unix.IoctlSetWinsize(int(master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 25, Col: uint16(width)}))
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	require.NoError(t, err)
	tty, err = os.OpenFile("/dev/pts/"+strconv.Itoa(number), os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = tty.Close() })
	return tty, func() string {
		buffer := make([]byte, 1<<16)
		n, err := master.Read(buffer)
		require.NoError(t, err)
		return string(buffer[:n])
	}
}

// A terminal has a bar as wide as it is, and what is none has none.
func TestBarOnTerminal(t *testing.T) {
	assert.Nil(t, newBar(&strings.Builder{}))
	tty, written := terminal(t, 60)
	p := newProgress(Settings{Progress: tty}, nil, &journal.Journal{})
	require.NotNil(t, p.bar)
	assert.Equal(t, 60-barWidth-barFrame, p.bar.room)
	p.status("loading")
	p.finish()
	text := written()
	assert.Contains(t, text, "|  loading \x1b[0K")
	assert.Contains(t, text, "100% |"+strings.Repeat("█", barWidth)+"|  done in 0s \x1b[0K")
}
