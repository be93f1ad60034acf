// fluxpull ADDRESS FOLDER: pulls an artefact as Flux' source-controller does, with the libraries that it does it with
// (source-controller 1.7, internal/controller/ocirepository_controller.go: getRevision, fetchLayer, and the extraction
// of a layer). Prints the revision; what source-controller would refuse goes to stderr, with exit code 1.
package main

import (
	"fmt"
	"os"

	"github.com/fluxcd/pkg/tar"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: fluxpull ADDRESS FOLDER")
		os.Exit(2)
	}
	if err := pull(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func pull(address, folder string) error {
	ref, err := name.NewTag(address)
	if err != nil {
		return err
	}
	head, err := remote.Head(ref)
	if err != nil {
		return fmt.Errorf("failed to determine artifact digest: %w", err)
	}
	image, err := remote.Image(ref)
	if err != nil {
		return fmt.Errorf("failed to pull artifact: %w", err)
	}
	// Digests, sizes, media types and the configuration's list of layers agree: stricter than source-controller
	if err := validate.Image(image); err != nil {
		return err
	}
	layers, err := image.Layers()
	if err != nil {
		return fmt.Errorf("failed to parse artifact layers: %w", err)
	}
	if len(layers) == 0 {
		return fmt.Errorf("no layers found in artifact")
	}
	blob, err := layers[0].Compressed()
	if err != nil {
		return fmt.Errorf("failed to extract the first layer from artifact: %w", err)
	}
	defer blob.Close()
	if err := tar.Untar(blob, folder, tar.WithMaxUntarSize(-1)); err != nil {
		return fmt.Errorf("failed to extract layer contents from artifact: %w", err)
	}
	fmt.Printf("%s@%s\n", ref.TagStr(), head.Digest)
	return nil
}
