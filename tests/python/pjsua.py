"""A telephone made of PJSIP, driven by lines on stdin: `dial URI`, `press KEYS`, `info KEYS`, `refer URI`, `hangup`,
`session SECONDS` (RFC 4028, for calls that follow), and `register REGISTRAR USER PASSWORD`, after which it takes calls. Answers on stdout, a line each: `established`, `transfer CODE`,
`closed CODE REASON`, `registered CODE` with `outbound` where the registrar took its flow (RFC 5626 §6). It plays one file for ever and
writes what it hears to another. Its sound is encrypted as a fourth word says: `none`, `sdes`, or `either`, on trust (RFC 8643)."""

import os
import select
import sys

import pjsua2 as pj

number, tone, heard, encryption = sys.argv[1:5]


class Call(pj.Call):
    def onCallState(self, prm):
        info = self.getInfo()
        if info.state == pj.PJSIP_INV_STATE_CONFIRMED:
            print("established", flush=True)
        elif info.state == pj.PJSIP_INV_STATE_DISCONNECTED:
            print("closed", info.lastStatusCode, info.lastReason, flush=True)

    def onCallTransferStatus(self, prm):
        print("transfer", prm.statusCode, flush=True)
        prm.cont = True

    def onCallMediaState(self, prm):
        media = self.getAudioMedia(-1)
        player.startTransmit(media)
        media.startTransmit(recorder)


class Account(pj.Account):
    def onRegState(self, prm):
        message = prm.rdata.wholeMsg.lower()
        is_flow = "flow-timer:" in message and "require: outbound" in message
        print("registered", prm.code, "outbound" if is_flow else "", flush=True)

    def onIncomingCall(self, prm):
        global call
        call = Call(self, prm.callId)
        taken = pj.CallOpParam()
        taken.statusCode = 200
        call.answer(taken)


endpoint = pj.Endpoint()
endpoint.libCreate()
config = pj.EpConfig()
config.uaConfig.threadCnt = 0
config.uaConfig.mainThreadOnly = True
config.logConfig.level = 0
config.logConfig.consoleLevel = 0
config.medConfig.clockRate = 8000
# Silence is sent like sound: the tests look for both.
config.medConfig.noVad = True
endpoint.libInit(config)
endpoint.audDevManager().setNullDev()
for transport in (pj.PJSIP_TRANSPORT_UDP, pj.PJSIP_TRANSPORT_TCP):
    local = pj.TransportConfig()
    local.boundAddress = "127.0.0.1"
    endpoint.transportCreate(transport, local)
endpoint.libStart()

player = pj.AudioMediaPlayer()
player.createPlayer(tone)
recorder = pj.AudioMediaRecorder()
recorder.createRecorder(heard)
account_config = pj.AccountConfig()
account_config.idUri = f"sip:{number}@127.0.0.1"
kinds = {"none": pj.PJMEDIA_SRTP_DISABLED, "sdes": pj.PJMEDIA_SRTP_MANDATORY, "either": pj.PJMEDIA_SRTP_OPTIONAL}
account_config.mediaConfig.srtpUse = kinds[encryption]
account_config.mediaConfig.srtpSecureSignaling = 0
account = Account()
account.create(account_config)

call = None
unread = b""
print("ready", flush=True)
while True:
    endpoint.libHandleEvents(10)
    if not select.select([0], [], [], 0)[0]:
        continue
    data = os.read(0, 4096)
    if not data:
        break
    *lines, unread = (unread + data).split(b"\n")
    for line in lines:
        word, _, rest = line.decode().partition(" ")
        if word == "dial":
            call = Call(account)
            call.makeCall(rest, pj.CallOpParam(True))
        elif word == "press":
            call.dialDtmf(rest)
        elif word == "info":
            keys = pj.CallSendDtmfParam()
            keys.method = pj.PJSUA_DTMF_METHOD_SIP_INFO
            keys.digits = rest
            call.sendDtmf(keys)
        elif word == "refer":
            call.xfer(rest, pj.CallOpParam(True))
        elif word == "session":
            account_config.callConfig.timerUse = pj.PJSUA_SIP_TIMER_ALWAYS
            account_config.callConfig.timerMinSESec = account_config.callConfig.timerSessExpiresSec = int(rest)
            account.modify(account_config)
        elif word == "register":
            registrar, user, password = rest.split()
            account_config.idUri = f"sip:{user}@{registrar}"
            account_config.regConfig.registrarUri = f"sip:{registrar}"
            proven = pj.AuthCredInfo("digest", "*", user, 0, password)
            account_config.sipConfig.authCreds.append(proven)
            account.modify(account_config)
        elif word == "hangup":
            call.hangup(pj.CallOpParam(True))
# The library wants its own things gone before it goes itself.
del call, account, recorder, player
endpoint.libDestroy()
