package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/sluice-bi/sluice/internal/catalog"
)

// visit is a question that a person puts to a server: it is answered with 200
// where they may see the table and with 403 where not.
type visit struct {
	session string
	table   catalog.TableID
	may     bool
}

// visitor is a person who asks one server.
type visitor struct {
	http *http.Client
	site string
}

func newVisitor(site string) *visitor {
	return &visitor{http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}, Timeout: time.Minute}, site: site}
}

// ask returns the status of the answer.
func (v *visitor) ask(ctx context.Context, session string, t catalog.TableID) (int, error) {
	r, err := http.NewRequestWithContext(ctx, "GET", fmt.Sprintf("%s/api/table/%d/fks", v.site, t), nil)
	if err != nil {
		return 0, err
	}
	r.Header.Set("X-Metabase-Session", session)
	answer, err := v.http.Do(r)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		return 0, err
	}
	return answer.StatusCode, nil
}

// load asks a server so many questions a second, whether it keeps up or not.
type load struct {
	stop context.CancelFunc
	done chan struct{}

	mu    sync.Mutex
	took  []time.Duration
	wrong int // neither the right answer nor "not now"
	away  int // 503 or no answer
	late  int // not even asked: all askers were waiting
	last  error
	began time.Time
	ended time.Time
}

// askers are how many questions can wait for their answer at once.
const askers = 32

func begin500(ctx context.Context, site string, visits []visit) *load {
	ctx, stop := context.WithCancel(ctx)
	l := &load{stop: stop, done: make(chan struct{}), began: time.Now()}
	queue := make(chan visit)
	v := newVisitor(site)
	var wait sync.WaitGroup
	for range askers {
		wait.Go(func() {
			for q := range queue {
				l.one(ctx, v, q)
			}
		})
	}
	go func() {
		defer close(l.done)
		// What a tick was late for is made up at the next.
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for n := 0; ; {
			select {
			case <-ctx.Done():
				close(queue)
				wait.Wait()
				l.ended = time.Now()
				return
			case <-tick.C:
			}
			for due := int(time.Since(l.began) / (2 * time.Millisecond)); n < due; n++ {
				select {
				case queue <- visits[n%len(visits)]:
				default:
					l.mu.Lock()
					l.late++
					l.mu.Unlock()
				}
			}
		}
	}()
	return l
}

func (l *load) one(ctx context.Context, v *visitor, q visit) {
	begun := time.Now()
	status, err := v.ask(ctx, q.session, q.table)
	took := time.Since(begun)
	if ctx.Err() != nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err != nil, status == http.StatusServiceUnavailable:
		l.away++
		l.last = errors.Join(err)
	case (status == http.StatusOK) != q.may || status != http.StatusOK && status != http.StatusForbidden:
		l.wrong++
		l.last = fmt.Errorf("table %d: %d", q.table, status)
	default:
		l.took = append(l.took, took)
	}
}

// end stops asking and waits for the last answer.
func (l *load) end() {
	l.stop()
	<-l.done
}

// rate is how many questions a second were answered rightly.
func (l *load) rate() float64 { return float64(len(l.took)) / l.ended.Sub(l.began).Seconds() }
