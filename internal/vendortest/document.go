package vendortest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
)

// A document is a vendor's own description of its interface. A nil document
// describes nothing.
type document struct{ spec *openapi3.T }

// Folder is where the vendors' descriptions are, if they are: beside the
// repository in which a test runs.
func Folder() string {
	dir, _ := os.Getwd() // without one there is nothing beside it
	for up := filepath.Dir(dir); up != dir; dir, up = up, filepath.Dir(up) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
	}
	return filepath.Join(filepath.Dir(dir), "shared", "openapi")
}

// load reads a description, once a process; nil where there is none.
func load(name string) func() (*document, error) {
	return sync.OnceValues(func() (*document, error) {
		path := filepath.Join(Folder(), name)
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			return nil, nil
		}
		spec, err := openapi3.NewLoader().LoadFromFile(path)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		return &document{spec: spec}, nil
	})
}

// input is a request as the validator wants it; nil for one that is not in the
// description, which is a fault of its own.
func (d *document) input(r *http.Request, op operation, body []byte) (*openapi3filter.RequestValidationInput, error) {
	item := d.spec.Paths.Value(op.path)
	if item == nil || item.GetOperation(r.Method) == nil {
		return nil, fmt.Errorf("the vendor describes no %s %s", r.Method, op.path)
	}
	again := r.Clone(context.Background())
	again.Body = io.NopCloser(bytes.NewReader(body))
	again.ContentLength = int64(len(body))
	return &openapi3filter.RequestValidationInput{
		Request:    again,
		PathParams: op.params,
		Route: &routers.Route{
			Spec: d.spec, Path: op.path, PathItem: item, Method: r.Method, Operation: item.GetOperation(r.Method),
		},
		Options: &openapi3filter.Options{
			MultiError:          true,
			SkipSettingDefaults: true,
			AuthenticationFunc: func(_ context.Context, in *openapi3filter.AuthenticationInput) error {
				if in.RequestValidationInput.Request.Header.Get("Authorization") == "" {
					return errors.New("no Authorization")
				}
				return nil
			},
		},
	}, nil
}

func (d *document) checkRequest(r *http.Request, op operation, body []byte) []string {
	if d == nil {
		return nil
	}
	in, err := d.input(r, op, body)
	if err == nil {
		err = openapi3filter.ValidateRequest(context.Background(), in)
	}
	return faults(err)
}

func (d *document) checkAnswer(r *http.Request, op operation, p reply, text []byte) []string {
	if d == nil {
		return nil
	}
	in, err := d.input(r, op, nil)
	if err == nil {
		out := &openapi3filter.ResponseValidationInput{
			RequestValidationInput: in,
			Status:                 p.status,
			Header:                 http.Header{"Content-Type": {"application/json"}},
			Options:                in.Options,
		}
		err = openapi3filter.ValidateResponse(context.Background(), out.SetBodyBytes(text))
	}
	return faults(err)
}

func faults(err error) []string {
	if err == nil {
		return nil
	}
	return []string{"OpenAPI: " + err.Error()}
}
