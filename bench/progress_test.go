package bench

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

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
	p := newProgress(nil, groups, stat.UntilPrecise(0.02, 100*time.Hour), &journal.Journal{})
	assert.InDelta(t, 100*510.0/(510+1240+760), time.Until(p.deadline(groups, 0)).Hours(), 0.01)
	assert.InDelta(t, 60*510.0/(510+1240+760), time.Until(p.deadline(groups, 40*time.Hour)).Hours(), 0.01, "the other engine needs as long")
	assert.InDelta(t, 100, time.Until(p.deadline(groups[1:], 40*time.Hour)).Hours(), 0.01)
	assert.Zero(t, newProgress(nil, groups, stat.FixedTrials(1), &journal.Journal{}).deadline(groups, 0))
}

// The message of an engine's error does not reach the terminal with its control characters.
func TestProgressIsPlain(t *testing.T) {
	var b strings.Builder
	p := newProgress(&b, nil, stat.FixedTrials(1), &journal.Journal{})
	p.line("%s: failed: %v", "a 100 % point", "\x1b[2J")
	p.terminal = true
	p.status("%s …", "\x1b]0;title\a")
	assert.Equal(t, "a 100 % point: failed: \\x1b[2J\n"+"\r\x1b[K"+"\\x1b]0;title\\a …", b.String())
}
