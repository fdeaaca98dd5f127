// Uses a chain as a wallet or a web page would: through viem, over HTTP. Prints what it saw as JSON.
"use strict";

const { createPublicClient, createWalletClient, defineChain, http, parseEther } = require("viem");
const { privateKeyToAccount } = require("viem/accounts");

const { url, chainId, abi, bytecode, privateKey } = JSON.parse(process.argv[2]);

const chain = defineChain({
  id: chainId,
  name: "development",
  nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 },
  rpcUrls: { default: { http: [url] } },
});
const transport = http(url, { batch: true, retryCount: 0 });
const reader = createPublicClient({ chain, transport, cacheTime: 0, pollingInterval: 20 });
const owner = privateKeyToAccount(privateKey);
const wallet = createWalletClient({ chain, transport, account: owner });

const mined = (hash) => reader.waitForTransactionReceipt({ hash });
const seen = (events) => events.map(({ args, blockNumber }) => [blockNumber, args.key, args.note]);

async function transfer() {
  // Signed here, and signed by the server, which knows the development accounts' keys.
  const [, second, third] = await reader.request({ method: "eth_accounts" });
  const before = await Promise.all([second, third].map((address) => reader.getBalance({ address })));
  const own = await mined(await wallet.sendTransaction({ to: second, value: parseEther("1.5") }));
  const served = createWalletClient({ chain, transport, account: third });
  const theirs = await mined(await served.sendTransaction({ to: second, value: 7n }));
  const after = await Promise.all([second, third].map((address) => reader.getBalance({ address })));
  const signature = await served.signMessage({ message: "hello" });
  return {
    statuses: [own.status, theirs.status],
    received: after[0] - before[0],
    spent: before[1] - after[1],
    fee: theirs.gasUsed * theirs.effectiveGasPrice,
    signed: await reader.verifyMessage({ address: third, message: "hello", signature }),
  };
}

async function notes() {
  const { contractAddress: address } = await mined(await wallet.deployContract({ abi, bytecode }));
  const notebook = { address, abi };
  const setNote = async (...args) => {
    const { request } = await reader.simulateContract({ ...notebook, functionName: "set_note", args, account: owner });
    return mined(await wallet.writeContract(request));
  };
  const events = await reader.createContractEventFilter({ ...notebook, eventName: "Noted" });
  const seventh = await reader.createContractEventFilter({ ...notebook, eventName: "Noted", args: { key: 7n } });
  const blocks = await reader.createBlockFilter();
  const pending = await reader.createPendingTransactionFilter();
  const watched = [];
  const unwatch = reader.watchContractEvent({
    ...notebook,
    eventName: "Noted",
    poll: true,
    onLogs: (logs) => watched.push(...logs),
    onError: (error) => { throw error; },
  });
  // Watching begins with its filter, which is installed before the first poll.
  await new Promise((resolve) => setTimeout(resolve, 500));
  const receipts = [await setNote(7n, 70n), await setNote(8n, 80n)];
  const changes = async (filter) => reader.getFilterChanges({ filter });
  const found = {
    address,
    hashes: receipts.map(({ transactionHash }) => transactionHash),
    changes: seen(await changes(events)),
    again: await changes(events),
    seventh: seen(await changes(seventh)),
    blocks: await changes(blocks),
    mined: receipts.map(({ blockHash }) => blockHash),
    pending: await changes(pending),
    logs: seen(await reader.getContractEvents({ ...notebook, eventName: "Noted", fromBlock: 0n })),
    uninstalled: [await reader.uninstallFilter({ filter: events }), await reader.uninstallFilter({ filter: events })],
  };
  for (let tries = 0; watched.length < 2 && tries < 100; tries += 1) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  unwatch();
  const [seven, eight] = await Promise.all(
    [7n, 8n].map((key) => reader.readContract({ ...notebook, functionName: "notes", args: [key] })),
  );
  const refusal = await setNote(1n, 1000n).then(
    () => null,
    (error) => error.walk((cause) => cause.name === "ContractFunctionRevertedError").reason,
  );
  return { ...found, watched: seen(watched), notes: [seven, eight], refusal };
}

async function main() {
  const balance = await reader.getBalance({ address: owner.address });
  const found = { chainId: await reader.getChainId(), balance, transfer: await transfer(), notes: await notes() };
  console.log(JSON.stringify(found, (_, value) => (typeof value === "bigint" ? String(value) : value)));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
