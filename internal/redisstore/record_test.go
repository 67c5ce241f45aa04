package redisstore

import (
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// fill sets every field, so that one which does not survive is seen, also one
// that is added later.
func fill(t *testing.T, v reflect.Value) {
	t.Helper()
	if v.Type() == reflect.TypeFor[time.Time]() {
		v.Set(reflect.ValueOf(time.Date(2026, 5, 4, 3, 2, 1, 123456000, time.UTC)))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).Tag.Get("json") != "-" { // no part of the record
				fill(t, v.Field(i))
			}
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(t, v.Index(0))
		fill(t, v.Index(1))
	case reflect.Array:
		for i := range v.Len() {
			fill(t, v.Index(i))
		}
	case reflect.String:
		v.SetString("text <&> \u2028 ü")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(1<<53 + 1)
	case reflect.Uint8:
		v.SetUint(200)
	default:
		t.Fatalf("a field of type %s: say here how to fill it", v.Type())
	}
}

func survives[T any](t *testing.T) {
	t.Helper()
	var want T
	fill(t, reflect.ValueOf(&want).Elem())
	text, err := encode(want)
	must(t, err)
	got, err := decode[T]("reading", text)
	must(t, err)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%T: -want +got:\n%s", want, diff)
	}
}

func TestEveryFieldSurvives(t *testing.T) {
	t.Parallel()
	survives[login.Flow](t)
	survives[session.Ticket](t)
}
