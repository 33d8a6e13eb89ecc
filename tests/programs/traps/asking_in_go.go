// Reads its environment, resolves a user (through libc where it is linked with cgo), starts a child,
// and exits with 4.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
)

func main() {
	_, set := os.LookupEnv("JAVA_TOOL_OPTIONS")
	me, err := user.Current()
	name := "nobody"
	if err == nil {
		name = me.Uid
	}
	output, err := exec.Command("/bin/echo", "child").CombinedOutput()
	fmt.Println(os.Getenv("HOME"), set, name, string(output), err)
	os.Exit(4)
}
