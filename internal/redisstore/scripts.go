package redisstore

import (
	_ "embed"

	"github.com/redis/go-redis/v9"
)

// The scripts. Each is atomic, sets the TTL of every key that it makes, and
// takes all times from its caller: none asks the server for its clock.
var (
	//go:embed lua/create_session.lua
	createSessionText string
	//go:embed lua/index_session.lua
	indexSessionText string
	//go:embed lua/set_token.lua
	setTokenText string
	//go:embed lua/end_session.lua
	endSessionText string
	//go:embed lua/touch.lua
	touchText string
	//go:embed lua/create_flow.lua
	createFlowText string
	//go:embed lua/save_flow.lua
	saveFlowText string
	//go:embed lua/delete_flow.lua
	deleteFlowText string
	//go:embed lua/take.lua
	takeText string
	//go:embed lua/give_back.lua
	giveBackText string
	//go:embed lua/publish_node.lua
	publishNodeText string

	createSession = redis.NewScript(createSessionText)
	indexSession  = redis.NewScript(indexSessionText)
	setToken      = redis.NewScript(setTokenText)
	endSession    = redis.NewScript(endSessionText)
	touch         = redis.NewScript(touchText)
	createFlow    = redis.NewScript(createFlowText)
	saveFlow      = redis.NewScript(saveFlowText)
	deleteFlow    = redis.NewScript(deleteFlowText)
	take          = redis.NewScript(takeText)
	giveBack      = redis.NewScript(giveBackText)
	publishNode   = redis.NewScript(publishNodeText)
)
