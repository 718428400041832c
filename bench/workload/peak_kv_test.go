package workload

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"vllmgo/internal/fake"
)

func TestPeakKVTokens(t *testing.T) {
	assert.Equal(t, 65536, testPoint(64, 512, 512).PeakKVTokens(256, 128))
	assert.Equal(t, 256, testPoint(1, 128, 1).PeakKVTokens(256, 128), "a block begun counts whole")
	assert.Equal(t, 256*256, testPoint(500, 128, 64).PeakKVTokens(256, 128), "no more than max_num_seqs at once")
	assert.Equal(t, 192, testPoint(1, 128, 64).PeakKVTokens(256, 0))
	assert.Equal(t, int64(9*1<<30/4), 65536*fake.OPT125M().KVBytesPerToken(), "2.25 GiB")
}
