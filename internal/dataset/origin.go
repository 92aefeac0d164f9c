package dataset

import (
	"context"

	"github.com/sluice-bi/sluice/internal/permission"
)

// Origin is what is recorded of the request that a question comes with.
type Origin struct {
	RequestID string
	// Viewer is the administrator who asks as the person; 0 for nobody.
	Viewer permission.UserID
}

type originKey struct{}

// WithOrigin gives the questions that are put with the context their origin.
func WithOrigin(ctx context.Context, o Origin) context.Context {
	return context.WithValue(ctx, originKey{}, o)
}

func originOf(ctx context.Context) Origin {
	o, _ := ctx.Value(originKey{}).(Origin)
	return o
}
