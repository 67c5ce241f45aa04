package testtools

import (
	"fmt"
	"reflect"
	"time"
)

// Change gives a field another value, so that a test can ask whether something
// looks at each: nothing where it is something, and something where it is
// nothing.
func Change(field reflect.Value) {
	switch f := field.Addr().Interface().(type) {
	case *time.Time:
		*f = f.Add(time.Second)
		return
	}
	if !field.IsZero() {
		field.SetZero()
		return
	}
	switch field.Kind() {
	case reflect.Bool:
		field.SetBool(true)
	case reflect.String:
		field.SetString("changed")
	case reflect.Int, reflect.Int64:
		field.SetInt(1)
	case reflect.Uint8:
		field.SetUint(1)
	case reflect.Slice:
		field.Set(reflect.MakeSlice(field.Type(), 1, 1))
	case reflect.Pointer:
		field.Set(reflect.New(field.Type().Elem()))
	case reflect.Array:
		Change(field.Index(0))
	case reflect.Struct:
		Change(field.Field(0))
	default:
		panic(fmt.Sprintf("cannot change a %s", field.Type()))
	}
}
