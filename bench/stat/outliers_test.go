package stat

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestOutliers(t *testing.T) {
	assert.Equal(t, []int{2, 5}, Outliers(ms(100, 101, 190, 99, 102, 20, 100, 101)))
	assert.Empty(t, Outliers(ms(100, 101, 104, 99, 102, 98, 100, 101)))
	assert.Empty(t, Outliers(ms(1)))
}
