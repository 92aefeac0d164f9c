package api

import "testing"

// What is remembered has a bound; groups that have gone do not keep others out
// for ever.
func TestWhatIsRememberedMakesRoomForWhatIsThere(t *testing.T) {
	w := newGraphWorld(t)
	var known texts
	gone, there := textKey{6, both}, textKey{5, both}
	known.put(gone, w.now().Edition(6), make([]byte, mostTexts-10))
	w.deleteGroup("6")
	known.forget(w.now())
	put := func() []byte {
		known.put(there, w.now().Edition(5), make([]byte, 20))
		return known.get(there, w.now().Edition(5))
	}
	if put() != nil || known.bytes != mostTexts-10 {
		t.Errorf("%d bytes are kept where %d are the most", known.bytes, mostTexts)
	}
	known.forget(w.now())
	if put() == nil || known.bytes != 20 {
		t.Errorf("the text of a group that has gone keeps its room: %d bytes", known.bytes)
	}
	if known.get(there, w.history[0].Edition(5)) != nil && w.history[0].Edition(5) != w.now().Edition(5) {
		t.Error("text was given for another edition")
	}
}
