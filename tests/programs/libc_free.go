// A Go program that loads libc only because the preload object needs it.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Println("HOME is", os.Getenv("HOME"))
	os.Exit(7)
}
